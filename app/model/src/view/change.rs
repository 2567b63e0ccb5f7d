//! What the dialogs of changes say, and the cards of what was refused or needs a choice.

use crate::{
    change::Change,
    command::{Aggregate, Command},
    model::Model,
    pending::NotSent,
    text::{money, short_id},
};
use tramline_contract::{Money, OrderState};
use uuid::Uuid;

/// A dialog that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeView {
    /// What will be changed, in words.
    pub about: String,
    /// What speaks against it, or should be known before.
    pub warning: Option<String>,
    /// For a cancellation: whether it waits already, and can be taken back here.
    pub can_keep: bool,
}

/// A command that was refused, or that needs a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSentCard {
    /// The command.
    pub id: Uuid,
    /// What was not done.
    pub title: String,
    /// Why.
    pub reason: String,
    /// Whether it can be corrected and sent again.
    pub can_edit: bool,
    /// The other's value and the user's own, when one of them has to be chosen.
    pub choice: Option<[String; 2]>,
}

impl Model {
    /// The words of the dialog that is open.
    #[must_use]
    pub fn change_view(&self) -> Option<ChangeView> {
        let draft = self.change.as_ref()?;
        let (about, warning) = match draft.change {
            Change::Revise(order) | Change::Cancel(order) => {
                let row = self.order_row(order)?;
                let about = format!("Order {}, {} for {}.", row.short_id, row.total, row.customer);
                (
                    about,
                    if draft.change == Change::Cancel(order) { self.cancel_words(order) } else { self.revise_words() },
                )
            }
            Change::CreditLimit(id) | Change::Payment(id) => {
                let customer = self.customers.get(id)?;
                let about = format!(
                    "{} has {} left of {}.",
                    customer.name,
                    money(customer.available_credit),
                    money(customer.credit_limit)
                );
                (about, self.limit_words())
            }
        };
        let can_keep = matches!(draft.change, Change::Cancel(order) if self.can_keep(order));
        Some(ChangeView { about, warning, can_keep })
    }

    /// The commands that were refused, and the ones that need a choice.
    #[must_use]
    pub fn not_sent_cards(&self) -> Vec<NotSentCard> {
        self.pending.not_sent.iter().map(|not_sent| self.card(not_sent)).collect()
    }

    fn cancel_words(&self, order: tramline_contract::OrderId) -> Option<String> {
        let words = if self.can_keep(order) {
            "It will be cancelled once it is decided."
        } else if self.orders.get(order).is_none_or(|order| order.state == OrderState::Pending) {
            "It is still being decided. It will be cancelled once that is done."
        } else {
            "Its credit becomes free again. This cannot be undone."
        };
        Some(words.to_owned())
    }

    fn revise_words(&self) -> Option<String> {
        let draft = self.change.as_ref()?;
        let Change::Revise(id) = draft.change else { return None };
        let order = self.orders.get(id)?;
        if order.state == OrderState::Cancelled || order.state == OrderState::CancelPending {
            return Some("This order was cancelled while you were editing.".to_owned());
        }
        if let Some(theirs) = self.changed_meanwhile() {
            return Some(format!("This order was changed to {} while you were editing.", money(theirs)));
        }
        let more = draft.typed_amount()?.checked_sub(order.total)?;
        let customer = self.customers.get(order.customer_id)?;
        let left = customer.available_credit.checked_sub(self.on_hold(customer.id))?;
        (more > left && more > Money::ZERO).then(|| {
            format!(
                "May be refused: that is {} more, and {} has {} left.",
                money(more),
                customer.name,
                money(left.max(Money::ZERO))
            )
        })
    }

    fn limit_words(&self) -> Option<String> {
        let draft = self.change.as_ref()?;
        let Change::CreditLimit(id) = draft.change else { return None };
        if let Some(theirs) = self.changed_meanwhile() {
            return Some(format!("This limit was changed to {} while you were editing.", money(theirs)));
        }
        let customer = self.customers.get(id)?;
        let left = customer.paid.checked_sub(customer.reserved)?.minor() + draft.typed_amount()?.minor();
        (left < 0).then(|| {
            format!(
                "That is less than {} owes. No order is approved until {} is free again.",
                customer.name,
                money(Money::from_minor(-left))
            )
        })
    }

    /// The value that the dialog's aggregate has now, when it is not the one that the dialog began with.
    fn changed_meanwhile(&self) -> Option<Money> {
        let draft = self.change.as_ref()?;
        let now = self.basis(draft.change.aggregate()).value;
        (now != draft.basis.value).then_some(now)
    }

    fn card(&self, not_sent: &NotSent) -> NotSentCard {
        let command = &not_sent.command;
        let who = match command.aggregate() {
            Aggregate::Order(id) => short_id(id.0),
            Aggregate::Customer(id) => self.customer_name(id).unwrap_or("a customer").to_owned(),
        };
        let title = match command {
            Command::PlaceOrder { customer_id, total, .. } => {
                let customer = self.customer_name(*customer_id).unwrap_or("a customer");
                format!("Order not placed: {} for {customer}", money(*total))
            }
            Command::CreateCustomer { name, .. } => format!("Customer not added: {}", name.as_str()),
            Command::CancelOrder { .. } => format!("Order {who} not cancelled"),
            Command::ReviseOrder { total, .. } => format!("Order {who} not revised to {}", money(*total)),
            Command::SetCreditLimit { credit_limit, .. } => {
                format!("Credit limit of {who} not changed to {}", money(*credit_limit))
            }
            Command::RecordPayment { amount, .. } => format!("Payment of {} for {who} not recorded", money(*amount)),
        };
        let choice = command.revision().filter(|_| not_sent.is_conflict());
        let choice = choice.map(|(mine, _)| [money(self.basis(command.aggregate()).value), money(mine)]);
        NotSentCard {
            id: command.id(),
            title,
            reason: match (&choice, command) {
                (Some([theirs, _]), Command::ReviseOrder { .. }) => {
                    format!("This order was changed to {theirs} while you were editing.")
                }
                (Some([theirs, _]), _) => format!("The limit was changed to {theirs} while you were editing."),
                (None, _) => not_sent.problem.detail.clone(),
            },
            can_edit: choice.is_none() && !matches!(command, Command::CancelOrder { .. }),
            choice,
        }
    }
}
