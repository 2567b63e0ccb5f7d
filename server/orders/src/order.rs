//! An order and its life. Pure: time and ids come in, what happened goes out.

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

/// Why an order does not do what it is told: its state does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {0:?} cannot be decided")]
pub struct Refusal(
    /// The state.
    pub OrderState,
);

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
    /// When it is not pending.
    pub fn approve(&mut self, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.decide(OrderState::Approved, None, now)?;
        Ok(OrderEvent::OrderApproved)
    }

    /// Rejects a pending order.
    ///
    /// # Errors
    /// When it is not pending.
    pub fn reject(&mut self, reason: RejectionReason, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        self.decide(OrderState::Rejected, Some(reason), now)?;
        Ok(OrderEvent::OrderRejected { reason })
    }

    fn decide(&mut self, state: OrderState, reason: Option<RejectionReason>, now: UtcMicros) -> Result<(), Refusal> {
        match self.state {
            OrderState::Pending => {
                self.state = state;
                self.rejection_reason = reason;
                self.version = self.version.next();
                self.updated_at = now;
                Ok(())
            }
            OrderState::Approved
            | OrderState::Rejected
            | OrderState::CancelPending
            | OrderState::Cancelled
            | OrderState::RevisionPending => Err(Refusal(self.state)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn pending() -> Order {
        let id = Uuid::from_u128;
        Order::place(
            OrderId(id(1)),
            CustomerId(id(2)),
            Money::from_minor(3_000),
            Coordination::Orchestration,
            SagaId(id(3)),
            UtcMicros(5),
        )
        .0
    }

    #[test]
    fn a_pending_order_is_decided_once() {
        let mut order = pending();
        assert_eq!(order.approve(UtcMicros(6)), Ok(OrderEvent::OrderApproved));
        assert_eq!((order.state, order.version, order.updated_at), (OrderState::Approved, Version(2), UtcMicros(6)));
        assert_eq!(order.reject(RejectionReason::InsufficientCredit, UtcMicros(7)), Err(Refusal(OrderState::Approved)));
        assert_eq!(order.version, Version(2));
    }

    #[test]
    fn a_rejected_order_says_why() {
        let mut order = pending();
        order.reject(RejectionReason::UnknownCustomer, UtcMicros(6)).expect("it is pending");
        assert_eq!(order.rejection_reason, Some(RejectionReason::UnknownCustomer));
        assert_eq!(order.approve(UtcMicros(7)), Err(Refusal(OrderState::Rejected)));
    }
}
