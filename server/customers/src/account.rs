//! A customer's credit account: an event-sourced aggregate. Pure.

use serde::{Deserialize, Serialize};
use tramline_contract::{Money, OrderId, RejectionReason};
use tramline_eventsourcing::{Aggregate, Event};

/// What can happen to an account. Stored for ever: kinds and fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum AccountEvent {
    /// The customer was created.
    CustomerCreated {
        /// What the customer is called.
        name: String,
        /// How much may be owed at most.
        credit_limit: Money,
        /// When, in microseconds since 1970.
        created_at_micros: i64,
    },
    /// Credit is held for an order.
    CreditReserved {
        /// The order.
        order_id: OrderId,
        /// How much.
        amount: Money,
    },
    /// Credit was asked for and not given.
    CreditRefused {
        /// The order.
        order_id: OrderId,
        /// How much was asked for.
        amount: Money,
    },
}

impl Event for AccountEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::CustomerCreated { .. } => "CustomerCreated",
            Self::CreditReserved { .. } => "CreditReserved",
            Self::CreditRefused { .. } => "CreditRefused",
        }
    }
}

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
            AccountEvent::CreditReserved { amount, .. } => {
                self.reserved = Money::from_minor(self.reserved.minor().saturating_add(amount.minor()));
            }
            AccountEvent::CreditRefused { .. } => {}
        }
    }
}

impl Account {
    /// `creditLimit − reserved + paid`.
    #[must_use]
    pub fn available_credit(&self) -> Money {
        let minor = self.credit_limit.minor().saturating_sub(self.reserved.minor()).saturating_add(self.paid.minor());
        Money::from_minor(minor)
    }

    /// Whether an order's total is held: exactly when it is at most what is available. Returns what happens and, when it
    /// is refused, why.
    #[must_use]
    pub fn reserve(&self, order_id: OrderId, amount: Money) -> (AccountEvent, Option<RejectionReason>) {
        if amount <= self.available_credit() {
            (AccountEvent::CreditReserved { order_id, amount }, None)
        } else {
            (AccountEvent::CreditRefused { order_id, amount }, Some(RejectionReason::InsufficientCredit))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn given(limit: i64) -> Account {
        let mut account = Account::default();
        let credit_limit = Money::from_minor(limit);
        account.apply(&AccountEvent::CustomerCreated { name: "Ada".to_owned(), credit_limit, created_at_micros: 0 });
        account
    }

    fn order(number: u128) -> OrderId {
        OrderId(Uuid::from_u128(number))
    }

    #[test]
    fn a_total_equal_to_what_is_left_is_reserved_and_one_more_is_not() {
        let account = given(1_000);
        assert_eq!(account.reserve(order(1), Money::from_minor(1_000)).1, None);
        assert_eq!(account.reserve(order(1), Money::from_minor(1_001)).1, Some(RejectionReason::InsufficientCredit));
    }

    proptest! {
        #[test]
        fn what_is_reserved_never_exceeds_the_limit(limit in 0_i64..5_000, totals in prop::collection::vec(1_i64..900, 0..60)) {
            let mut account = given(limit);
            let mut approved = 0;
            for (number, total) in totals.into_iter().enumerate() {
                let fits = total <= limit - approved;
                let (event, refused) = account.reserve(order(number as u128), Money::from_minor(total));
                account.apply(&event);
                prop_assert_eq!(refused.is_none(), fits);
                approved += if fits { total } else { 0 };
                prop_assert_eq!(account.reserved.minor(), approved);
            }
        }
    }
}
