//! A customer's credit account: an event-sourced aggregate. Pure.
//!
//! It knows sums only, so that it stays small: what is held for which order, and which payment came when, stand in tables
//! beside it, and whoever decides brings the row along.

use crate::event::AccountEvent;
use serde::{Deserialize, Serialize};
use tramline_contract::{Money, OrderId, RejectionReason};
use tramline_eventsourcing::Aggregate;

/// The account as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What the customer is called.
    pub name: String,
    /// How much may be owed at most.
    pub credit_limit: Money,
    /// Held by orders.
    pub reserved: Money,
    /// Paid so far.
    pub paid: Money,
    /// When the customer was created, in microseconds since 1970.
    pub created_at_micros: i64,
}

impl Aggregate for Account {
    type Event = AccountEvent;

    const KIND: &'static str = "Customer";

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::CustomerCreated { name, credit_limit, created_at_micros } => {
                self.name.clone_from(name);
                self.credit_limit = *credit_limit;
                self.created_at_micros = *created_at_micros;
            }
            AccountEvent::CreditReserved { amount, .. } => self.hold(amount.minor()),
            AccountEvent::CreditReleased { amount, .. } => self.hold(-amount.minor()),
            AccountEvent::ReservationChanged { amount, previous, .. } => self.hold(amount.minor() - previous.minor()),
            AccountEvent::CreditLimitChanged { credit_limit, .. } => self.credit_limit = *credit_limit,
            AccountEvent::PaymentRecorded { amount, .. } => {
                self.paid = Money::from_minor(self.paid.minor().saturating_add(amount.minor()));
            }
            AccountEvent::CreditRefused { .. } | AccountEvent::ReservationChangeRefused { .. } => {}
        }
    }
}

/// What happens when credit is asked for, and, when it is refused, why.
pub type Decision = (AccountEvent, Option<RejectionReason>);

impl Account {
    /// `creditLimit − reserved + paid`. Negative after the limit was lowered below what is reserved.
    #[must_use]
    pub fn available_credit(&self) -> Money {
        let minor = self.credit_limit.minor().saturating_sub(self.reserved.minor()).saturating_add(self.paid.minor());
        Money::from_minor(minor)
    }

    /// Whether an order's total is held: exactly when it is at most what is available.
    #[must_use]
    pub fn reserve(&self, order_id: OrderId, amount: Money) -> Decision {
        if amount <= self.available_credit() {
            (AccountEvent::CreditReserved { order_id, amount }, None)
        } else {
            (AccountEvent::CreditRefused { order_id, amount }, Some(RejectionReason::InsufficientCredit))
        }
    }

    /// Gives back what is `held` for an order; `None` when that is nothing, so that it is never given back twice.
    #[must_use]
    pub fn release(&self, order_id: OrderId, held: Money) -> Option<AccountEvent> {
        (held > Money::ZERO).then_some(AccountEvent::CreditReleased { order_id, amount: held })
    }

    /// Holds `amount` for an order instead of what is `held`. Less is always done, however little is available; more only
    /// when the difference is available. An order for which nothing is held has nothing to change.
    #[must_use]
    pub fn change(&self, order_id: OrderId, held: Money, amount: Money) -> Decision {
        let more = amount.minor() - held.minor();
        if held > Money::ZERO && (more <= 0 || more <= self.available_credit().minor()) {
            (AccountEvent::ReservationChanged { order_id, amount, previous: held }, None)
        } else {
            (AccountEvent::ReservationChangeRefused { order_id, amount }, Some(RejectionReason::InsufficientCredit))
        }
    }

    /// Sets the credit limit, also below what is reserved: orders that hold credit keep it. `None` when it is that already.
    #[must_use]
    pub fn set_limit(&self, credit_limit: Money) -> Option<AccountEvent> {
        let previous = self.credit_limit;
        (credit_limit != previous).then_some(AccountEvent::CreditLimitChanged { credit_limit, previous })
    }

    fn hold(&mut self, more: i64) {
        self.reserved = Money::from_minor(self.reserved.minor().saturating_add(more));
    }
}
