//! Performs the local steps of the sagas, in the transaction of the orchestrator.

use crate::{
    create_order::{APPROVE, CREATE, CreateOrderData, REJECT},
    order::{Order, Refusal},
    store,
};
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
        Box::pin(async move {
            let data: CreateOrderData = command.read()?;
            match command.kind {
                CREATE => place(work, SagaId(saga_id), &data).await,
                APPROVE => change(work, data.order_id, "OrderApproved", Order::approve).await,
                REJECT => {
                    let reason = data.rejection_reason.unwrap_or(RejectionReason::InsufficientCredit);
                    change(work, data.order_id, "OrderRejected", |order, now| order.reject(reason, now)).await
                }
                other => Err(HandlerError::Permanent(format!("the local command {other} is not known"))),
            }
        })
    }
}

async fn place(work: &mut UnitOfWork<'_>, saga_id: SagaId, data: &CreateOrderData) -> Result<Reply, HandlerError> {
    let CreateOrderData { order_id, customer_id, total, coordination, .. } = *data;
    let (order, event) = Order::place(order_id, customer_id, total, coordination, saga_id, work.now);
    if !store::insert(work, &order, event).await? {
        return Err(HandlerError::Transient("the order is there already".to_owned()));
    }
    Ok(Reply::done("OrderPlaced", &serde_json::json!({ "version": order.version })))
}

async fn change(
    work: &mut UnitOfWork<'_>,
    id: OrderId,
    done: &'static str,
    act: impl FnOnce(&mut Order, UtcMicros) -> Result<OrderEvent, Refusal>,
) -> Result<Reply, HandlerError> {
    let Some(mut order) = store::load(work.tx, id).await? else {
        return Err(HandlerError::Permanent(format!("there is no order {id}")));
    };
    match act(&mut order, work.now) {
        Ok(event) if store::update(work, &order, event).await? => {
            Ok(Reply::done(done, &serde_json::json!({ "version": order.version })))
        }
        Ok(_) => Err(HandlerError::Transient("the order changed meanwhile".to_owned())),
        Err(refusal) => Ok(Reply::refused("OrderNotChanged", &serde_json::json!({ "state": refusal.0 }))),
    }
}
