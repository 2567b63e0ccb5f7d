//! The forms at work: opened, filled in, submitted, refused and corrected.

use crate::{
    command::Command,
    draft::{CustomerDraft, OrderDraft},
    effect::Effect,
    model::Model,
    route::Route,
    text::money,
    time::Now,
};
use tramline_contract::{CustomerId, OrderId};
use uuid::Uuid;

impl Model {
    pub(crate) fn open_order_form(&mut self, id: OrderId, customer: Option<CustomerId>, effects: &mut Vec<Effect>) {
        let draft = self.order_draft.get_or_insert_with(|| OrderDraft::new(id, customer));
        if customer.is_some() {
            draft.customer = customer;
        }
        // A draft that was saved before its order went out must not lend its id to a second one.
        if self.pending.order(draft.id).is_some() || self.orders.get(draft.id).is_some() {
            draft.id = id;
        }
        effects.push(Effect::SaveDraft(self.order_draft.clone()));
    }

    pub(crate) fn edit_order(&mut self, effects: &mut Vec<Effect>, edit: impl FnOnce(&mut OrderDraft)) {
        if let Some(draft) = &mut self.order_draft {
            let before = draft.clone();
            edit(draft);
            let (customer_changed, total_changed) = (draft.customer != before.customer, draft.total != before.total);
            draft.errors.retain(|error| match error.field.as_str() {
                "customerId" => !customer_changed,
                "total" => !total_changed,
                _ => true,
            });
            effects.push(Effect::SaveDraft(self.order_draft.clone()));
        }
    }

    pub(crate) fn submit_order(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some(draft) = &mut self.order_draft else { return };
        match draft.command() {
            Err(errors) => draft.errors = errors,
            Ok(_) if self.connection.is_offline() => draft.was_offline = true,
            Ok(command) => {
                self.order_draft = None;
                effects.push(Effect::SaveDraft(None));
                self.send(command, now, effects);
                if self.order_list.index.release() {
                    self.rebuild_order_list();
                }
                effects.push(Effect::ScrollToTop);
                self.close_form(now, effects);
            }
        }
    }

    pub(crate) fn submit_customer(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some(draft) = &mut self.customer_draft else { return };
        match draft.command() {
            Err(errors) => draft.errors = errors,
            Ok(_) if self.connection.is_offline() => draft.was_offline = true,
            Ok(command) => {
                self.customer_draft = None;
                self.send(command, now, effects);
                if self.customer_list.index.release() {
                    self.rebuild_customer_list();
                }
                effects.push(Effect::ScrollToTop);
                self.close_form(now, effects);
            }
        }
    }

    /// Sends a command that makes something, and shows its row.
    pub(crate) fn send(&mut self, command: Command, now: Now, effects: &mut Vec<Effect>) {
        let id = command.id();
        if command.placed().is_some() {
            self.own.insert(OrderId(id), now.ms);
            self.pending.submit(command, now, effects);
            self.place_order_row(OrderId(id));
        } else {
            self.pending.submit(command, now, effects);
            self.place_customer_row(CustomerId(id));
        }
    }

    pub(crate) fn close_form(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.change.take().is_some() {
            return;
        }
        match self.route {
            Route::NewOrder { .. } => {
                if self.order_draft.take().is_some() {
                    effects.push(Effect::SaveDraft(None));
                }
                let filter = self.order_list.page_filter.clone();
                self.go(Route::Orders(filter), true, now, effects);
            }
            Route::NewCustomer => {
                self.customer_draft = None;
                let search = self.customer_list.search.clone();
                self.go(Route::Customers { search }, true, now, effects);
            }
            _ => {}
        }
    }

    pub(crate) fn edit_not_sent(&mut self, id: Uuid, new_id: Uuid, now: Now, effects: &mut Vec<Effect>) {
        let Some(not_sent) = self.pending.take_not_sent(id) else { return };
        if not_sent.command.changes().is_some() {
            return self.edit_refused_change(&not_sent, new_id, now, effects);
        }
        match not_sent.command {
            Command::PlaceOrder { customer_id, total, coordination, .. } => {
                let mut draft = OrderDraft::new(OrderId(new_id), Some(customer_id));
                (draft.total, draft.coordination) = (money(total), coordination);
                draft.errors = not_sent.problem.errors;
                effects.push(Effect::SaveDraft(Some(draft.clone())));
                self.order_draft = Some(draft);
                self.go(Route::NewOrder { customer: None }, false, now, effects);
            }
            Command::CreateCustomer { name, credit_limit, .. } => {
                let mut draft = CustomerDraft::new(CustomerId(new_id));
                draft.name = name.as_str().to_owned();
                draft.credit_limit = money(credit_limit);
                draft.errors = not_sent.problem.errors;
                self.customer_draft = Some(draft);
                self.go(Route::NewCustomer, false, now, effects);
            }
            Command::CancelOrder { .. }
            | Command::ReviseOrder { .. }
            | Command::SetCreditLimit { .. }
            | Command::RecordPayment { .. } => {}
        }
    }
}
