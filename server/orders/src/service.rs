//! What the service can do, each in one unit of work.

use crate::{
    admission::{Admission, Capacity},
    changes::{self, Change, Changing},
    choreography,
    create_order::{CREATE_ORDER, CreateOrderData},
    order::Order,
    sagas::Sagas,
    store,
};
use std::{sync::Arc, time::Duration};
use tramline_contract::{Coordination, CustomerId, Money, OrderAccepted, OrderId, OrderState, SagaId, Version};
use tramline_messaging::{HandlerError, Messaging, UnitOfWork};
use tramline_sagas::{Deadlines, Operator, Orchestrator, Retried};
use uuid::Uuid;

/// The orders service. Cheap to clone.
#[derive(Clone)]
pub struct Orders {
    messaging: Messaging,
    sagas: Sagas,
    admission: Arc<Admission>,
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
    /// Too much is under way; nothing has changed.
    Overloaded {
        /// When another try has a chance.
        retry_after: Duration,
    },
}

impl Orders {
    /// The service over its own database, with the capacity that it has by default.
    #[must_use]
    pub fn new(messaging: Messaging) -> Self {
        Self::with_capacity(messaging, Capacity::default())
    }

    /// The service over its own database.
    #[must_use]
    pub fn with_capacity(messaging: Messaging, capacity: Capacity) -> Self {
        Self { messaging, sagas: Sagas::new(), admission: Arc::new(Admission::new(capacity)) }
    }

    /// The database with its outbox.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Tries the step again at which a parked saga is stuck.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn retry_saga(
        &self,
        traceparent: Option<String>,
        id: SagaId,
        operator: Operator,
    ) -> Result<Retried, HandlerError> {
        let sagas = self.sagas.kinds();
        let retried = self
            .messaging
            .transact(traceparent, move |work| Box::pin(async move { sagas.retry(work, id.0, &operator).await }));
        retried.await
    }

    /// The worker that does what is due of the sagas: run one in each process.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        Deadlines::new(self.messaging.clone(), self.sagas.kinds())
    }

    pub(crate) const fn sagas(&self) -> &Sagas {
        &self.sagas
    }

    /// Accepts an order and starts its saga, unless too much is under way. The id is the idempotency key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn place(&self, traceparent: Option<String>, order: NewOrder) -> Result<Placing, HandlerError> {
        let seat = match self.admission.admit(self.messaging.db()).await {
            Ok(seat) => seat,
            Err(retry_after) => return Ok(Placing::Overloaded { retry_after }),
        };
        let orchestrator = Arc::clone(&self.sagas.create_order);
        // The unit of work runs even when whoever waits for it has gone, so it holds the seat too.
        let held = Arc::clone(&seat);
        let placed = self
            .messaging
            .transact(traceparent.clone(), move |work| {
                Box::pin(async move {
                    let placed = place(work, &orchestrator, order).await;
                    drop(held);
                    placed
                })
            })
            .await;
        if placed.is_ok() {
            self.admission.started();
        }
        match placed {
            // Most ids are new, so it is tried first and only looked up when the id turns out to be taken.
            Err(HandlerError::Transient(reason)) => {
                let first =
                    self.messaging.transact(traceparent, move |work| Box::pin(placed_before(work, order))).await?;
                first.ok_or(HandlerError::Transient(reason))
            }
            other => other,
        }
    }

    /// Begins to cancel or revise an order, unless too much is under way. Neither has an idempotency key: whoever asks again
    /// is told which saga holds the order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change(
        &self,
        traceparent: Option<String>,
        id: OrderId,
        change: Change,
    ) -> Result<Changing, HandlerError> {
        let seat = match self.admission.admit(self.messaging.db()).await {
            Ok(seat) => seat,
            Err(retry_after) => return Ok(Changing::Overloaded { retry_after }),
        };
        let sagas = self.sagas.clone();
        let changing = self
            .messaging
            .transact(traceparent, move |work| {
                Box::pin(async move {
                    let changing = changes::begin(work, &sagas, id, change).await;
                    drop(seat);
                    changing
                })
            })
            .await?;
        if matches!(changing, Changing::Accepted(_)) {
            self.admission.started();
        }
        Ok(changing)
    }
}

async fn place(
    work: &mut UnitOfWork<'_>,
    orchestrator: &Orchestrator<CreateOrderData>,
    order: NewOrder,
) -> Result<Placing, HandlerError> {
    let NewOrder { id, customer_id, total, coordination } = order;
    let saga_id = work.new_id();
    match coordination {
        Coordination::Orchestration => {
            let data = CreateOrderData {
                order_id: id,
                customer_id,
                total,
                coordination,
                rejection_reason: None,
                changed: None,
            };
            orchestrator.start(work, saga_id, id.0, data).await?;
        }
        Coordination::Choreography => {
            let (order, event) = Order::place(id, customer_id, total, coordination, SagaId(saga_id), work.now);
            let told = store::insert(work, &order, event).await?;
            let told = told.ok_or_else(|| HandlerError::Transient("the order is there already".to_owned()))?;
            choreography::begun(work, CREATE_ORDER, &order, told).await?;
        }
    }
    Ok(accepted(id, saga_id))
}

/// The answer to a repeated request: as the first time when it asks for the same.
async fn placed_before(work: &mut UnitOfWork<'_>, order: NewOrder) -> Result<Option<Placing>, HandlerError> {
    let Some(first) = store::placed(work.tx, order.id).await? else { return Ok(None) };
    let same = first.customer_id == order.customer_id.0
        && first.placed_total == order.total.minor()
        && first.coordination == order.coordination.as_str();
    Ok(Some(if same { accepted(order.id, first.placed_saga_id) } else { Placing::IdInUse }))
}

const fn accepted(id: OrderId, saga_id: Uuid) -> Placing {
    let (version, state) = (Version::FIRST, OrderState::Pending);
    Placing::Accepted(OrderAccepted { id, version, state, saga_id: Some(SagaId(saga_id)) })
}
