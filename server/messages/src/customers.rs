//! What the customers service takes and tells.

use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, Money, OrderId, RejectionReason};

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

/// Reply: the credit is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditReserved {}

impl CreditReserved {
    /// The reply's kind.
    pub const KIND: &'static str = "CreditReserved";
}

/// Reply: the credit is not held, for this reason.
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
}

impl CustomerEvent {
    /// The event's kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CustomerCreated => "CustomerCreated",
            Self::CreditReserved { .. } => "CreditReserved",
            Self::CreditRefused { .. } => "CreditRefused",
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
