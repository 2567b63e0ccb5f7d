//! The dialogs that change an order or a customer: opened, filled in, submitted, and what is said once the change is done.

use crate::{
    command::{Aggregate, Basis, Command, Failure},
    draft::{field_error, typed_money},
    effect::Effect,
    model::Model,
    pending::NotSent,
    route::Route,
    text::{money, short_id},
    time::Now,
};
use tramline_contract::{CustomerId, FieldError, Money, Order, OrderId, OrderState, PaymentReference};
use uuid::Uuid;

/// A change that a dialog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Give an order another total.
    Revise(OrderId),
    /// Cancel an order.
    Cancel(OrderId),
    /// Give a customer another credit limit.
    CreditLimit(CustomerId),
    /// Record what a customer has paid.
    Payment(CustomerId),
}

/// A change that is being filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeDraft {
    /// The command's id to be, so that submitting twice is one change.
    pub id: Uuid,
    /// Which change.
    pub change: Change,
    /// The amount as typed.
    pub amount: String,
    /// A payment's reference as typed.
    pub reference: String,
    /// What the user saw when the dialog opened.
    pub basis: Basis,
    /// What is wrong, field by field.
    pub errors: Vec<FieldError>,
    /// Whether it was refused because the device has no network.
    pub was_offline: bool,
}

impl ChangeDraft {
    /// The command, or what is wrong.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn command(&self) -> Result<Command, Vec<FieldError>> {
        let (id, basis) = (self.id, self.basis);
        match self.change {
            Change::Cancel(order) => Ok(Command::CancelOrder { id, order }),
            Change::Revise(order) => {
                let total = self.amount("total", false)?;
                Ok(Command::ReviseOrder { id, order, total, basis })
            }
            Change::CreditLimit(customer) => {
                let credit_limit = self.amount("credit limit", true)?;
                Ok(Command::SetCreditLimit { id, customer, credit_limit, basis })
            }
            Change::Payment(customer) => {
                let reference = match self.reference.trim() {
                    "" => Ok(None),
                    text => PaymentReference::parse(text).map(Some),
                };
                let reference = reference.map_err(|error| field_error("reference", format!("The reference {error}.")));
                match (self.amount("amount", false), reference) {
                    (Ok(amount), Ok(reference)) => Ok(Command::RecordPayment { id, customer, amount, reference }),
                    (amount, reference) => {
                        Err(amount.err().unwrap_or_default().into_iter().chain(reference.err()).collect())
                    }
                }
            }
        }
    }

    /// The amount, if what is typed is one.
    #[must_use]
    pub fn typed_amount(&self) -> Option<Money> {
        typed_money(&self.amount).ok()
    }

    fn amount(&self, noun: &str, may_be_zero: bool) -> Result<Money, Vec<FieldError>> {
        match typed_money(&self.amount) {
            Ok(Money::ZERO) if !may_be_zero => Err(format!("The {noun} must be above zero.")),
            Ok(amount) => Ok(amount),
            Err(error) => Err(format!("The {noun} {error}.")),
        }
        .map_err(|message| vec![field_error("amount", message)])
    }
}

impl Model {
    /// Whether the user may revise an order: it holds credit, and nobody is cancelling it.
    #[must_use]
    pub fn can_revise(&self, id: OrderId) -> bool {
        let is_ours = || self.pending.wanted(id.0).is_some();
        self.pending.cancellation(id).is_none()
            && self.orders.get(id).is_some_and(|order| match order.state {
                OrderState::Approved => true,
                OrderState::RevisionPending => is_ours(),
                OrderState::Pending | OrderState::Rejected | OrderState::CancelPending | OrderState::Cancelled => false,
            })
    }

    /// Whether the user may cancel an order, now or once it is decided.
    #[must_use]
    pub fn can_cancel(&self, id: OrderId) -> bool {
        let is_alive = |order: &Order| {
            matches!(order.state, OrderState::Pending | OrderState::Approved | OrderState::RevisionPending)
        };
        self.pending.cancellation(id).is_none()
            && self.orders.get(id).map_or_else(|| self.pending.order(id).is_some(), is_alive)
    }

    /// Whether an order's cancellation waits, so that it can be taken back.
    #[must_use]
    pub fn can_keep(&self, id: OrderId) -> bool {
        self.pending.cancellation(id).is_some_and(crate::pending::Operation::waits)
    }

    pub(crate) fn open_change(&mut self, change: Change, id: Uuid) {
        let is_possible = match change {
            Change::Revise(order) => self.can_revise(order),
            Change::Cancel(order) => self.can_cancel(order) || self.can_keep(order),
            Change::CreditLimit(customer) | Change::Payment(customer) => self.customers.get(customer).is_some(),
        };
        if is_possible {
            let basis = self.basis(change.aggregate());
            let amount = match change {
                Change::Revise(_) | Change::CreditLimit(_) => money(basis.value),
                Change::Cancel(_) | Change::Payment(_) => String::new(),
            };
            let reference = String::new();
            self.change =
                Some(ChangeDraft { id, change, amount, reference, basis, errors: Vec::new(), was_offline: false });
        }
    }

    pub(crate) fn edit_change(&mut self, field: &str, edit: impl FnOnce(&mut ChangeDraft)) {
        if let Some(draft) = &mut self.change {
            edit(draft);
            draft.errors.retain(|error| error.field != field);
        }
    }

    pub(crate) fn submit_change(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some(draft) = &mut self.change else { return };
        match draft.command() {
            Err(errors) => draft.errors = errors,
            Ok(_) if self.connection.is_offline() => draft.was_offline = true,
            Ok(command) => {
                self.change = None;
                match command.revision() {
                    // Nothing to change is no change.
                    Some((wanted, basis))
                        if wanted == self.basis(command.aggregate()).value && wanted == basis.value => {}
                    // What the user saw has been changed since. The same choice as when the server finds it out.
                    Some((_, basis)) if basis.value != self.basis(command.aggregate()).value => {
                        self.pending.keep_not_sent(NotSent::conflict(command));
                    }
                    _ => self.pending.submit_change(command, now, effects),
                }
            }
        }
    }

    /// The user insists on a value although somebody else has changed it meanwhile.
    pub(crate) fn reapply(&mut self, id: Uuid, new_id: Uuid, now: Now, effects: &mut Vec<Effect>) {
        let Some(not_sent) = self.pending.take_not_sent(id) else { return };
        let basis = self.basis(not_sent.command.aggregate());
        match not_sent.command {
            Command::ReviseOrder { order, total, .. } => {
                self.pending.submit_change(Command::ReviseOrder { id: new_id, order, total, basis }, now, effects);
            }
            Command::SetCreditLimit { customer, credit_limit, .. } => {
                let command = Command::SetCreditLimit { id: new_id, customer, credit_limit, basis };
                self.pending.submit_change(command, now, effects);
            }
            Command::PlaceOrder { .. }
            | Command::CreateCustomer { .. }
            | Command::CancelOrder { .. }
            | Command::RecordPayment { .. } => {}
        }
    }

    /// Opens a refused change again, with what was typed.
    pub(crate) fn edit_refused_change(
        &mut self,
        not_sent: &NotSent,
        new_id: Uuid,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let (change, amount) = match not_sent.command {
            Command::ReviseOrder { order, total, .. } => (Change::Revise(order), total),
            Command::SetCreditLimit { customer, credit_limit, .. } => (Change::CreditLimit(customer), credit_limit),
            Command::RecordPayment { customer, amount, .. } => (Change::Payment(customer), amount),
            Command::CancelOrder { .. } | Command::PlaceOrder { .. } | Command::CreateCustomer { .. } => return,
        };
        match change.aggregate() {
            Aggregate::Order(order) => self.go(Route::Order(order), false, now, effects),
            Aggregate::Customer(customer) => self.go(Route::Customer(customer), false, now, effects),
        }
        self.open_change(change, new_id);
        if let Some(draft) = &mut self.change {
            draft.amount = money(amount);
            if let Command::RecordPayment { reference: Some(reference), .. } = &not_sent.command {
                reference.as_str().clone_into(&mut draft.reference);
            }
            // The one amount has a name of its own in each request.
            let errors = not_sent.problem.errors.iter().cloned();
            draft.errors = errors
                .map(|error| if error.field == "reference" { error } else { field_error("amount", error.message) })
                .collect();
        }
    }

    /// A change was answered, or not.
    pub(crate) fn change_answered(
        &mut self,
        command: &Command,
        answer: &Result<crate::command::Accepted, Failure>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let named = match answer {
            Ok(accepted) => Some((accepted.version, crate::confirmed::FRAME_PATIENCE_MS)),
            Err(Failure::Problem(problem)) => problem.current_version.map(|version| (version, 0)),
            Err(Failure::NoAnswer) => None,
        };
        let aggregate = command.aggregate();
        if let Some((version, patience_ms)) = named {
            match aggregate {
                Aggregate::Order(id) => self.orders.learn(id, version, now.ms, patience_ms),
                Aggregate::Customer(id) => self.customers.learn(id, version, now.ms, patience_ms),
            }
            self.save_feed_soon(now.ms);
        }
        effects.extend(self.pending.after_answer(command.id()).map(Effect::Read));
        match aggregate {
            Aggregate::Order(id) => self.settle_order_changes(id, now, effects),
            Aggregate::Customer(id) => self.settle_customer_changes(id, effects),
        }
    }

    /// Holds an order's changes against its document, and tells what is done.
    pub(crate) fn settle_order_changes(&mut self, id: OrderId, now: Now, effects: &mut Vec<Effect>) {
        let Some(order) = self.orders.get(id) else { return };
        let done = self.pending.order_stands(order, effects);
        let words: Vec<_> = done.iter().filter_map(|command| outcome(command, order)).collect();
        for (words, is_bad) in words {
            if !self.is_on_screen(id) {
                self.announcer.toast(words.clone(), is_bad, now.ms);
            }
            if is_bad { effects.push(Effect::Alert(words)) } else { self.announcer.note(words) }
        }
    }

    /// Holds a customer's changes against the document, and tells what is done.
    pub(crate) fn settle_customer_changes(&mut self, id: CustomerId, effects: &mut Vec<Effect>) {
        let Some(customer) = self.customers.get(id) else { return };
        for command in self.pending.customer_stands(customer, effects) {
            self.announcer.note(match command {
                Command::RecordPayment { amount, .. } => {
                    format!("Payment of {} recorded for {}.", money(amount), customer.name)
                }
                _ => format!("{} has a credit limit of {}.", customer.name, money(customer.credit_limit)),
            });
        }
    }

    /// What a change of an aggregate's value starts from now: the user's own last wish, or else what is confirmed.
    pub(crate) fn basis(&self, aggregate: Aggregate) -> Basis {
        let confirmed = match aggregate {
            Aggregate::Order(id) => self.orders.get(id).map(|order| (order.total, order.version)),
            Aggregate::Customer(id) => self.customers.get(id).map(|one| (one.credit_limit, one.version)),
        };
        let (value, version) = confirmed.unwrap_or_default();
        Basis { value: self.pending.wanted(aggregate.id()).map_or(value, |(wanted, _)| wanted), version }
    }
}

impl Change {
    /// What it changes.
    #[must_use]
    pub fn aggregate(self) -> Aggregate {
        match self {
            Self::Revise(id) | Self::Cancel(id) => Aggregate::Order(id),
            Self::CreditLimit(id) | Self::Payment(id) => Aggregate::Customer(id),
        }
    }
}

/// What came of a change of an order, and whether that is bad news.
fn outcome(command: &Command, order: &Order) -> Option<(String, bool)> {
    let (short, total) = (short_id(order.id.0), money(order.total));
    match (command, order.state) {
        (Command::CancelOrder { .. }, OrderState::Cancelled) => Some((format!("Order {short} cancelled."), false)),
        (Command::CancelOrder { .. }, OrderState::Rejected) => {
            Some((format!("Order {short} was rejected, so there is nothing to cancel."), false))
        }
        (Command::CancelOrder { .. }, _) => Some((format!("Order {short} could not be cancelled."), true)),
        (Command::ReviseOrder { total: wanted, .. }, _) if *wanted == order.total => {
            Some((format!("Order {short} revised to {total}."), false))
        }
        (Command::ReviseOrder { total: wanted, .. }, _) if order.last_refusal.is_some() => Some((
            format!("Order {short} keeps {total}: there is too little credit left for {}.", money(*wanted)),
            true,
        )),
        _ => None,
    }
}
