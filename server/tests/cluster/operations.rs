//! What a client did and was told: the operations of a history, as in Jepsen.

use std::time::Duration;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, PaymentId};
use tramline_messages::orders::OrderEvent;
use uuid::Uuid;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Of an order that is new.
    Place { order: OrderId, customer: CustomerId, total: Money, coordination: Coordination },
    /// Of an order that is there.
    Cancel { order: OrderId },
    /// Of an order that is there.
    Revise { order: OrderId, total: Money },
    /// Of a customer.
    Pay { customer: CustomerId, payment: PaymentId, amount: Money },
    /// Of a customer.
    SetLimit { customer: CustomerId, limit: Money },
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or its saga has begun. The version that it made of the order or customer.
    Accepted { version: i64, saga: Option<Uuid> },
    /// It was not done, and why; with the saga that holds the order.
    Refused { code: String, by: Option<Uuid> },
    /// Nothing: it may have been done, once.
    Lost,
}

/// One command, from its first request to its answer.
#[derive(Clone, Debug)]
pub struct Operation {
    pub command: Command,
    /// When it was first sent, since the start of the test.
    pub invoked: Duration,
    /// When its answer came, or was given up.
    pub answered: Duration,
    pub answer: Answer,
    /// Requests. More than one only of what has an idempotency key: a new order or a payment.
    pub tries: u32,
}

impl Command {
    /// The kind, for counts.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Place { coordination: Coordination::Orchestration, .. } => "place, orchestrated",
            Self::Place { coordination: Coordination::Choreography, .. } => "place, choreographed",
            Self::Cancel { .. } => "cancel",
            Self::Revise { .. } => "revise",
            Self::Pay { .. } => "pay",
            Self::SetLimit { .. } => "set limit",
        }
    }

    /// Whose version its answer tells: the order's or the customer's.
    pub const fn about(&self) -> Uuid {
        match self {
            Self::Place { order, .. } | Self::Cancel { order } | Self::Revise { order, .. } => order.0,
            Self::Pay { customer, .. } | Self::SetLimit { customer, .. } => customer.0,
        }
    }

    /// The order, if it is about one.
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Place { order, .. } | Self::Cancel { order } | Self::Revise { order, .. } => Some(*order),
            Self::Pay { .. } | Self::SetLimit { .. } => None,
        }
    }

    /// Whether it is what made this happen to its order.
    pub fn begins(&self, event: &OrderEvent) -> bool {
        match (self, event) {
            (Self::Place { .. }, OrderEvent::OrderCreated) | (Self::Cancel { .. }, OrderEvent::OrderCancelBegun) => {
                true
            }
            (Self::Revise { total, .. }, OrderEvent::OrderRevisionBegun { total: begun }) => total == begun,
            _ => false,
        }
    }
}

impl Operation {
    /// The version and the saga of an acceptance.
    pub const fn accepted(&self) -> Option<(i64, Option<Uuid>)> {
        match &self.answer {
            Answer::Accepted { version, saga } => Some((*version, *saga)),
            Answer::Refused { .. } | Answer::Lost => None,
        }
    }

    /// What the answer was, for counts.
    pub const fn outcome(&self) -> &'static str {
        match &self.answer {
            Answer::Accepted { .. } => "accepted",
            Answer::Refused { .. } => "refused",
            Answer::Lost => "lost",
        }
    }

    /// Whether the refusal is one that an order in this state explains; a lock is explained by its saga.
    pub fn ended(code: &str, state: OrderState) -> bool {
        matches!(code, "order-not-cancellable" | "order-not-revisable")
            && matches!(state, OrderState::Rejected | OrderState::Cancelled)
    }
}
