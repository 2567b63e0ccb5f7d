//! What can happen to an account. Stored for ever: kinds and fields are only ever added.

use serde::{Deserialize, Serialize};
use tramline_contract::{Money, OrderId, PaymentId};
use tramline_eventsourcing::Event;

/// Something that happened to an account.
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
    /// What was held for an order was given back.
    CreditReleased {
        /// The order.
        order_id: OrderId,
        /// How much was held.
        amount: Money,
    },
    /// Another amount is held for an order.
    ReservationChanged {
        /// The order.
        order_id: OrderId,
        /// How much is held now.
        amount: Money,
        /// How much was held before.
        previous: Money,
    },
    /// More credit was asked for an order and not given.
    ReservationChangeRefused {
        /// The order.
        order_id: OrderId,
        /// How much was asked for, in all.
        amount: Money,
    },
    /// The customer may owe more or less than before.
    CreditLimitChanged {
        /// How much, from now on.
        credit_limit: Money,
        /// How much, before.
        previous: Money,
    },
    /// The customer has paid.
    PaymentRecorded {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Money,
        /// What it is booked under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
}

impl Event for AccountEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::CustomerCreated { .. } => "CustomerCreated",
            Self::CreditReserved { .. } => "CreditReserved",
            Self::CreditRefused { .. } => "CreditRefused",
            Self::CreditReleased { .. } => "CreditReleased",
            Self::ReservationChanged { .. } => "ReservationChanged",
            Self::ReservationChangeRefused { .. } => "ReservationChangeRefused",
            Self::CreditLimitChanged { .. } => "CreditLimitChanged",
            Self::PaymentRecorded { .. } => "PaymentRecorded",
        }
    }
}
