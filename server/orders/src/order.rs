//! An order and its life. Pure: time and ids come in, what happened goes out.
//!
//! ```text
//! PENDING ──► APPROVED ──► CANCEL_PENDING ───► CANCELLED
//!    │         ▲  │ ▲            │
//!    ▼         │  │ └── undone ──┘
//! REJECTED     │  ▼
//!          REVISION_PENDING      new total, or the old one and why
//! ```
//!
//! A state that ends in PENDING is the *semantic lock* (Garcia-Molina and Salem, *Sagas*, 1987, by way of Richardson) of the
//! saga in `saga_id`: nobody else changes the order until that saga lets it go.

use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason, SagaId, Version};
use tramline_db::UtcMicros;
use tramline_messages::orders::OrderEvent;

/// An order as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Names the order.
    pub id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Where it stands.
    pub state: OrderState,
    /// Why it was rejected.
    pub rejection_reason: Option<RejectionReason>,
    /// Why the last revision was refused.
    pub last_refusal: Option<RejectionReason>,
    /// Who leads its sagas.
    pub coordination: Coordination,
    /// The saga that holds or last changed it.
    pub saga_id: Option<SagaId>,
    /// The events so far.
    pub version: Version,
    /// When it was placed.
    pub created_at: UtcMicros,
    /// When it last changed.
    pub updated_at: UtcMicros,
}

/// Why an order does not do what it is told. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A saga holds it.
    #[error("the order is locked")]
    Locked {
        /// Which saga.
        by: Option<SagaId>,
    },
    /// Its state does not allow it.
    #[error("an order that is {0:?} does not do this")]
    State(
        /// The state.
        OrderState,
    ),
    /// It has changed since the caller looked.
    #[error("the order has version {0} by now")]
    Version(
        /// The version by now.
        Version,
    ),
}

impl Order {
    /// Places an order: PENDING, locked by its saga.
    #[must_use]
    pub const fn place(
        id: OrderId,
        customer_id: CustomerId,
        total: Money,
        coordination: Coordination,
        saga_id: SagaId,
        now: UtcMicros,
    ) -> (Self, OrderEvent) {
        let order = Self {
            id,
            customer_id,
            total,
            state: OrderState::Pending,
            rejection_reason: None,
            last_refusal: None,
            coordination,
            saga_id: Some(saga_id),
            version: Version::FIRST,
            created_at: now,
            updated_at: now,
        };
        (order, OrderEvent::OrderCreated)
    }

    /// Approves a pending order.
    ///
    /// # Errors
    /// When this saga does not hold it for that.
    pub fn approve(&mut self, saga: SagaId, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.held_for(OrderState::Pending, saga)?;
        self.enter(OrderState::Approved, now);
        Ok(OrderEvent::OrderApproved)
    }

    /// Rejects a pending order.
    ///
    /// # Errors
    /// When this saga does not hold it for that.
    pub fn reject(&mut self, saga: SagaId, reason: RejectionReason, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.held_for(OrderState::Pending, saga)?;
        self.rejection_reason = Some(reason);
        self.enter(OrderState::Rejected, now);
        Ok(OrderEvent::OrderRejected { reason })
    }

    /// Begins to cancel an approved order: locked until the saga confirms or undoes it.
    ///
    /// # Errors
    /// When it is locked or at its end.
    pub fn begin_cancel(&mut self, saga: SagaId, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.is_free()?;
        self.saga_id = Some(saga);
        self.enter(OrderState::CancelPending, now);
        Ok(OrderEvent::OrderCancelBegun)
    }

    /// Lets an order go that was not cancelled after all.
    ///
    /// # Errors
    /// When this saga does not hold it for that.
    pub fn undo_cancel(&mut self, saga: SagaId, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.held_for(OrderState::CancelPending, saga)?;
        self.enter(OrderState::Approved, now);
        Ok(OrderEvent::OrderCancelUndone)
    }

    /// Cancels an order whose credit was released.
    ///
    /// # Errors
    /// When this saga does not hold it for that.
    pub fn confirm_cancel(&mut self, saga: SagaId, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.held_for(OrderState::CancelPending, saga)?;
        self.enter(OrderState::Cancelled, now);
        Ok(OrderEvent::OrderCancelled)
    }

    /// Begins to give an approved order another total: locked, with the old one, until the saga confirms or undoes it.
    ///
    /// # Errors
    /// When it is locked or at its end.
    pub fn begin_revision(&mut self, saga: SagaId, total: Money, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.is_free()?;
        self.saga_id = Some(saga);
        self.last_refusal = None;
        self.enter(OrderState::RevisionPending, now);
        Ok(OrderEvent::OrderRevisionBegun { total })
    }

    /// Lets an order go with the total that it had.
    ///
    /// # Errors
    /// When this saga does not hold it for that.
    pub fn undo_revision(
        &mut self,
        saga: SagaId,
        reason: RejectionReason,
        now: UtcMicros,
    ) -> Result<OrderEvent, Refusal> {
        self.held_for(OrderState::RevisionPending, saga)?;
        self.last_refusal = Some(reason);
        self.enter(OrderState::Approved, now);
        Ok(OrderEvent::OrderRevisionRefused { reason })
    }

    /// Gives an order the total for which credit is held by now.
    ///
    /// # Errors
    /// When this saga does not hold it for that.
    pub fn confirm_revision(&mut self, saga: SagaId, total: Money, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.held_for(OrderState::RevisionPending, saga)?;
        let previous = std::mem::replace(&mut self.total, total);
        self.enter(OrderState::Approved, now);
        Ok(OrderEvent::OrderRevised { previous })
    }

    /// Whether it has the version that the caller has seen, if that matters to the caller.
    ///
    /// # Errors
    /// When it has another one.
    pub fn is_at(&self, expected: Option<Version>) -> Result<(), Refusal> {
        match expected {
            Some(expected) if expected != self.version => Err(Refusal::Version(self.version)),
            _ => Ok(()),
        }
    }

    /// Whether a new saga may take it.
    ///
    /// # Errors
    /// When it is locked or at its end.
    pub const fn is_free(&self) -> Result<(), Refusal> {
        match self.state {
            OrderState::Approved => Ok(()),
            OrderState::Pending | OrderState::CancelPending | OrderState::RevisionPending => {
                Err(Refusal::Locked { by: self.saga_id })
            }
            OrderState::Rejected | OrderState::Cancelled => Err(Refusal::State(self.state)),
        }
    }

    /// Whether it is in that locked state, and this saga is the one that holds it.
    fn held_for(&self, state: OrderState, saga: SagaId) -> Result<(), Refusal> {
        if self.state != state {
            return Err(Refusal::State(self.state));
        }
        if self.saga_id == Some(saga) { Ok(()) } else { Err(Refusal::Locked { by: self.saga_id }) }
    }

    fn enter(&mut self, state: OrderState, now: UtcMicros) {
        self.state = state;
        self.version = self.version.next();
        self.updated_at = now;
    }
}
