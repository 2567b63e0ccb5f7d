//! What the customers service takes and tells.

use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, Money, OrderId, PaymentId, RejectionReason};

/// Command: hold the total of an order against the customer's credit. Repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveCredit {
    /// Whose credit.
    pub customer_id: CustomerId,
    /// For which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
}

impl ReserveCredit {
    /// The command's kind.
    pub const KIND: &'static str = "ReserveCredit";
}

/// Command: give back whatever is held for an order. It is never refused, and repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseCredit {
    /// Whose credit.
    pub customer_id: CustomerId,
    /// Held for which order.
    pub order_id: OrderId,
}

impl ReleaseCredit {
    /// The command's kind.
    pub const KIND: &'static str = "ReleaseCredit";
}

/// Command: hold another amount for an order than the one that is held. Less is always done; more may be refused.
/// Repeating it for the same saga changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReservation {
    /// Whose credit.
    pub customer_id: CustomerId,
    /// For which order.
    pub order_id: OrderId,
    /// How much shall be held, in all.
    pub amount: Money,
}

impl ChangeReservation {
    /// The command's kind.
    pub const KIND: &'static str = "ChangeReservation";
}

/// Reply: nothing is held for the order any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditReleased {}

impl CreditReleased {
    /// The reply's kind.
    pub const KIND: &'static str = "CreditReleased";
}

/// Reply: the new amount is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationChanged {}

impl ReservationChanged {
    /// The reply's kind.
    pub const KIND: &'static str = "ReservationChanged";
}

/// Reply: the credit is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditReserved {}

impl CreditReserved {
    /// The reply's kind.
    pub const KIND: &'static str = "CreditReserved";
}

/// Reply: the credit is not held, or not changed, for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRefused {
    /// Why.
    pub reason: RejectionReason,
}

impl CreditRefused {
    /// The reply's kind.
    pub const KIND: &'static str = "CreditRefused";
}

/// What happened to a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum CustomerEvent {
    /// A customer is there.
    CustomerCreated,
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
    /// What is held for an order was given back.
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
        /// How much, before.
        previous: Money,
    },
    /// The customer has paid.
    PaymentRecorded {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        amount: Money,
    },
}

impl CustomerEvent {
    /// The event's kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CustomerCreated => "CustomerCreated",
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

/// The body of an event on the channel `Customer`; its headers say which customer and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerChanged {
    /// What happened.
    pub event: CustomerEvent,
    /// The customer since.
    pub after: CustomerSnapshot,
}

/// A customer as of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerSnapshot {
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

/// The body of the event that a customer who was asked for credit does not exist, on the channel `Customer`. It is of no
/// aggregate's version, since there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerUnknown {
    /// Who was asked for.
    pub customer_id: CustomerId,
    /// For which order.
    pub order_id: OrderId,
}

impl CustomerUnknown {
    /// The event's kind.
    pub const KIND: &'static str = "CustomerUnknown";
}
