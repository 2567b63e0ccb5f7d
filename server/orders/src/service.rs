//! What the service can do, each in one unit of work.

use crate::{
    create_order::{self, CreateOrderData},
    participant::OrderParticipant,
    store::{self, coordination_from},
};
use std::sync::Arc;
use tramline_contract::{Coordination, CustomerId, Money, OrderAccepted, OrderId, OrderState, SagaId, Version};
use tramline_messages::channels::ORDER_REPLIES;
use tramline_messaging::{HandlerError, Messaging, UnitOfWork};
use tramline_sagas::Orchestrator;

/// The orders service. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    messaging: Messaging,
    create_order: Arc<Orchestrator<CreateOrderData>>,
}

/// An order as a client asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The order's id and the idempotency key.
    pub id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Who leads its sagas.
    pub coordination: Coordination,
}

/// What became of a request to place an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// The order is accepted, now or since the first time.
    Accepted(OrderAccepted),
    /// The id belongs to another order.
    IdInUse,
}

impl Orders {
    /// The service over its own database.
    #[must_use]
    pub fn new(messaging: Messaging) -> Self {
        let create_order = Orchestrator::new(create_order::definition(), ORDER_REPLIES, Arc::new(OrderParticipant));
        Self { messaging, create_order: Arc::new(create_order) }
    }

    /// The database with its outbox.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    pub(crate) const fn create_order(&self) -> &Arc<Orchestrator<CreateOrderData>> {
        &self.create_order
    }

    /// Accepts an order and starts its saga. The id is the idempotency key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn place(&self, traceparent: Option<String>, order: NewOrder) -> Result<Placing, HandlerError> {
        let orchestrator = Arc::clone(&self.create_order);
        self.messaging
            .transact(traceparent, move |work| Box::pin(async move { place(work, &orchestrator, order).await }))
            .await
    }
}

async fn place(
    work: &mut UnitOfWork<'_>,
    orchestrator: &Orchestrator<CreateOrderData>,
    order: NewOrder,
) -> Result<Placing, HandlerError> {
    let NewOrder { id, customer_id, total, coordination } = order;
    let accepted = |saga_id| {
        let (version, state) = (Version::FIRST, OrderState::Pending);
        Placing::Accepted(OrderAccepted { id, version, state, saga_id: Some(SagaId(saga_id)) })
    };
    if let Some(first) = store::placed(work.tx, id).await? {
        let same = first.customer_id == customer_id.0
            && first.placed_total == total.minor()
            && coordination_from(&first.coordination) == coordination;
        return Ok(if same { accepted(first.placed_saga_id) } else { Placing::IdInUse });
    }
    let saga_id = work.new_id();
    let data = CreateOrderData { order_id: id, customer_id, total, coordination, rejection_reason: None };
    orchestrator.start(work, saga_id, id.0, data).await?;
    Ok(accepted(saga_id))
}
