//! Begins the sagas that change an order which is there: in one unit of work the order is locked, the saga started and its
//! first command sent, or nothing is done.

use crate::{
    cancel_order::CancelOrderData,
    choreography,
    order::{Order, Refusal},
    revise_order::ReviseOrderData,
    sagas::Sagas,
    store,
};
use std::time::Duration;
use tramline_contract::{Coordination, Money, OrderAccepted, OrderId, OrderState, SagaId, Version};
use tramline_messaging::{HandlerError, UnitOfWork};
use uuid::Uuid;

/// What an order is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// To be cancelled.
    Cancel,
    /// To cost something else.
    Revise {
        /// What it shall cost.
        total: Money,
        /// The version that the caller has seen.
        expected_version: Option<Version>,
    },
}

/// What became of a request to change an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changing {
    /// A saga has begun.
    Accepted(OrderAccepted),
    /// There is no such order.
    UnknownOrder,
    /// The order does not do it; nothing has changed.
    Refused(Refusal),
    /// Too much is under way; nothing has changed.
    Overloaded {
        /// When another try has a chance.
        retry_after: Duration,
    },
}

/// Starts the saga of a change, if the order is free.
pub(crate) async fn begin(
    work: &mut UnitOfWork<'_>,
    sagas: &Sagas,
    id: OrderId,
    change: Change,
) -> Result<Changing, HandlerError> {
    let Some(order) = store::load_locked(work.tx, id).await? else { return Ok(Changing::UnknownOrder) };
    // Asked before the saga is: one that is refused in its first step would leave a run behind that never was one.
    if let Err(refusal) = may_begin(&order, change) {
        return Ok(Changing::Refused(refusal));
    }
    let saga_id = work.new_id();
    let version = order.version.next();
    let state = match order.coordination {
        Coordination::Orchestration => lead(work, sagas, &order, saga_id, change).await?,
        Coordination::Choreography => tell(work, order, SagaId(saga_id), change).await?,
    };
    Ok(Changing::Accepted(OrderAccepted { id, version, state, saga_id: Some(SagaId(saga_id)) }))
}

/// Starts a saga that is led.
async fn lead(
    work: &mut UnitOfWork<'_>,
    sagas: &Sagas,
    order: &Order,
    saga_id: Uuid,
    change: Change,
) -> Result<OrderState, HandlerError> {
    let (id, customer_id) = (order.id, order.customer_id);
    // Nobody else can have changed the row, so the first step is not refused and makes the next version.
    match change {
        Change::Cancel => {
            let data = CancelOrderData { order_id: id, customer_id, changed: None };
            sagas.cancel_order.start(work, saga_id, id.0, data).await?;
            Ok(OrderState::CancelPending)
        }
        Change::Revise { total, .. } => {
            let data = ReviseOrderData { order_id: id, customer_id, total, refusal: None, changed: None };
            sagas.revise_order.start(work, saga_id, id.0, data).await?;
            Ok(OrderState::RevisionPending)
        }
    }
}

/// Begins a saga that nobody leads.
async fn tell(
    work: &mut UnitOfWork<'_>,
    mut order: Order,
    saga: SagaId,
    change: Change,
) -> Result<OrderState, HandlerError> {
    let begun = match change {
        Change::Cancel => order.begin_cancel(saga, work.now),
        Change::Revise { total, .. } => order.begin_revision(saga, total, work.now),
    };
    let event = begun.map_err(|refusal| HandlerError::Permanent(refusal.to_string()))?;
    let told = store::update(work, &order, event).await?;
    let told = told.ok_or_else(|| HandlerError::Transient("the order changed meanwhile".to_owned()))?;
    choreography::begun(work, event.saga(), &order, told).await?;
    Ok(order.state)
}

/// A lock first: whoever finds one learns whom to wait for, whatever version has been seen.
fn may_begin(order: &Order, change: Change) -> Result<(), Refusal> {
    order.is_free()?;
    match change {
        Change::Cancel => Ok(()),
        Change::Revise { expected_version, .. } => order.is_at(expected_version),
    }
}
