//! Performs the local steps of the sagas, in the transaction of whoever leads them.
//!
//! A step that the order's life does not allow is refused and changes nothing; which life that is, the order says.

use crate::{
    cancel_order::{self, CancelOrderData},
    create_order::{self, CreateOrderData},
    notices::{self, Changed},
    order::{Order, Refusal},
    revise_order::{self, ReviseOrderData},
    store,
};
use serde_json::json;
use tramline_contract::{OrderId, RejectionReason, SagaId};
use tramline_db::{BoxFuture, UtcMicros};
use tramline_messages::orders::OrderEvent;
use tramline_messaging::{HandlerError, UnitOfWork};
use tramline_sagas::{Command, Participant, Reply};
use uuid::Uuid;

/// The orders service as a participant of its own sagas.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OrderParticipant;

impl Participant for OrderParticipant {
    fn perform<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        saga_id: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        let saga = SagaId(saga_id);
        Box::pin(async move {
            match command.kind {
                create_order::CREATE => place(work, saga, &command.read()?).await,
                create_order::APPROVE | create_order::REJECT => decide(work, saga, command).await,
                cancel_order::BEGIN | cancel_order::UNDO | cancel_order::CONFIRM => cancel(work, saga, command).await,
                revise_order::BEGIN | revise_order::UNDO | revise_order::CONFIRM => revise(work, saga, command).await,
                other => Err(unknown(other)),
            }
        })
    }
}

async fn place(work: &mut UnitOfWork<'_>, saga: SagaId, data: &CreateOrderData) -> Result<Reply, HandlerError> {
    let CreateOrderData { order_id, customer_id, total, coordination, .. } = *data;
    let (order, event) = Order::place(order_id, customer_id, total, coordination, saga, work.now);
    if store::insert(work, &order, event).await?.is_none() {
        return Err(HandlerError::Transient("the order is there already".to_owned()));
    }
    Ok(Reply::done("OrderPlaced", &json!({ "version": order.version })))
}

async fn decide(work: &mut UnitOfWork<'_>, saga: SagaId, command: &Command) -> Result<Reply, HandlerError> {
    let CreateOrderData { order_id, rejection_reason, .. } = command.read()?;
    let reason = rejection_reason.unwrap_or(RejectionReason::InsufficientCredit);
    change(work, order_id, |order, now| match command.kind {
        create_order::APPROVE => order.approve(saga, now),
        _ => order.reject(saga, reason, now),
    })
    .await
}

async fn cancel(work: &mut UnitOfWork<'_>, saga: SagaId, command: &Command) -> Result<Reply, HandlerError> {
    let CancelOrderData { order_id, .. } = command.read()?;
    change(work, order_id, |order, now| match command.kind {
        cancel_order::BEGIN => order.begin_cancel(saga, now),
        cancel_order::UNDO => order.undo_cancel(saga, now),
        _ => order.confirm_cancel(saga, now),
    })
    .await
}

async fn revise(work: &mut UnitOfWork<'_>, saga: SagaId, command: &Command) -> Result<Reply, HandlerError> {
    let ReviseOrderData { order_id, total, refusal, .. } = command.read()?;
    let reason = refusal.unwrap_or(RejectionReason::InsufficientCredit);
    change(work, order_id, |order, now| match command.kind {
        revise_order::BEGIN => order.begin_revision(saga, total, now),
        revise_order::UNDO => order.undo_revision(saga, reason, now),
        _ => order.confirm_revision(saga, total, now),
    })
    .await
}

/// Loads the order, lets it decide, and writes what has happened.
async fn change(
    work: &mut UnitOfWork<'_>,
    id: OrderId,
    act: impl FnOnce(&mut Order, UtcMicros) -> Result<OrderEvent, Refusal>,
) -> Result<Reply, HandlerError> {
    let Some(mut order) = store::load(work.tx, id).await? else {
        return Err(HandlerError::Permanent(format!("there is no order {id}")));
    };
    match act(&mut order, work.now) {
        Ok(event) if store::update(work, &order, event).await?.is_some() => {
            notices::tell_of_refusal(work, &order, event)?;
            Ok(Reply::done(event.kind(), &Changed::of(&order)))
        }
        Ok(_) => Err(HandlerError::Transient("the order changed meanwhile".to_owned())),
        Err(refusal) => Ok(Reply::refused("OrderNotChanged", &json!({ "reason": refusal.to_string() }))),
    }
}

fn unknown(command: &str) -> HandlerError {
    HandlerError::Permanent(format!("the local command {command} is not known"))
}
