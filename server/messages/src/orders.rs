//! What the orders service tells.

use crate::protocols::{CANCEL_ORDER, CREATE_ORDER, REVISE_ORDER};
use serde::{Deserialize, Serialize};
use tramline_contract::{Coordination, CustomerId, Money, OrderState, RejectionReason, SagaId};

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum OrderEvent {
    /// An order was placed.
    OrderCreated,
    /// Its credit is reserved.
    OrderApproved,
    /// It was refused.
    OrderRejected {
        /// Why.
        reason: RejectionReason,
    },
    /// Its cancellation has begun; its credit is still held.
    OrderCancelBegun,
    /// Its cancellation has not come about: it is as before.
    OrderCancelUndone,
    /// It is cancelled, and its credit is free.
    OrderCancelled,
    /// Another total is being decided; the old one still stands.
    OrderRevisionBegun {
        /// The total that is asked for.
        total: Money,
    },
    /// The new total was refused; the old one stands.
    OrderRevisionRefused {
        /// Why.
        reason: RejectionReason,
    },
    /// It has a new total.
    OrderRevised {
        /// The total before.
        previous: Money,
    },
}

impl OrderEvent {
    /// The event's kind.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::OrderCreated => "OrderCreated",
            Self::OrderApproved => "OrderApproved",
            Self::OrderRejected { .. } => "OrderRejected",
            Self::OrderCancelBegun => "OrderCancelBegun",
            Self::OrderCancelUndone => "OrderCancelUndone",
            Self::OrderCancelled => "OrderCancelled",
            Self::OrderRevisionBegun { .. } => "OrderRevisionBegun",
            Self::OrderRevisionRefused { .. } => "OrderRevisionRefused",
            Self::OrderRevised { .. } => "OrderRevised",
        }
    }

    /// The kind of the saga in which it happens.
    #[must_use]
    pub const fn saga(self) -> &'static str {
        match self {
            Self::OrderCreated | Self::OrderApproved | Self::OrderRejected { .. } => CREATE_ORDER,
            Self::OrderCancelBegun | Self::OrderCancelUndone | Self::OrderCancelled => CANCEL_ORDER,
            Self::OrderRevisionBegun { .. } | Self::OrderRevisionRefused { .. } | Self::OrderRevised { .. } => {
                REVISE_ORDER
            }
        }
    }
}

/// The body of an event on the channel `Order`; its headers say which order and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChanged {
    /// What happened.
    pub event: OrderEvent,
    /// The order since.
    pub after: OrderSnapshot,
}

/// An order as of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderSnapshot {
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Where it stands.
    pub state: OrderState,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_reason: Option<RejectionReason>,
    /// Why the last revision was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<RejectionReason>,
    /// Who leads its sagas.
    pub coordination: Coordination,
    /// The saga that holds or last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_id: Option<SagaId>,
    /// When it was placed, in microseconds since 1970.
    pub created_at_micros: i64,
    /// When it last changed, in microseconds since 1970.
    pub updated_at_micros: i64,
}
