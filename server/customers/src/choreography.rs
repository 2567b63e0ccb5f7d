//! Its turns in sagas that nobody leads: it hears what happens to orders, decides as it does upon a command, and tells so.

use crate::{credit, publish::Asked};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tramline_contract::OrderId;
use tramline_db::BoxFuture;
use tramline_messages::{
    customers::{ChangeReservation, ReleaseCredit, ReserveCredit},
    orders::{OrderChanged, OrderEvent},
    protocols,
    services::CUSTOMERS,
};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};

/// Hears the events of orders whose sagas nobody leads.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderEventHandler;

/// Whether an event is one upon which this service has a turn.
#[must_use]
pub fn is_our_turn(event: &Record) -> bool {
    let protocol = event.headers.saga_type.as_deref().and_then(protocols::find);
    protocol.is_some_and(|protocol| protocol.owed(CUSTOMERS, &event.headers.kind).is_some())
}

impl Handler for OrderEventHandler {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for event in batch.iter().filter(|event| is_our_turn(event)) {
                work.traceparent.clone_from(&event.headers.traceparent);
                take_turn(work, event).await?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

async fn take_turn(work: &mut UnitOfWork<'_>, record: &Record) -> Result<(), HandlerError> {
    let OrderChanged { event, after } = read(record)?;
    let order_id = record.headers.aggregate_id.map(OrderId);
    let order_id = order_id.ok_or_else(|| HandlerError::Permanent("the event names no order".to_owned()))?;
    let (asked, customer_id) = (Asked::by_event(record), after.customer_id);
    match event {
        OrderEvent::OrderCreated => {
            credit::reserve(work, &asked, &ReserveCredit { customer_id, order_id, amount: after.total }).await?;
        }
        OrderEvent::OrderCancelBegun => {
            credit::release(work, &asked, &ReleaseCredit { customer_id, order_id }).await?;
        }
        OrderEvent::OrderRevisionBegun { total } => {
            credit::change(work, &asked, &ChangeReservation { customer_id, order_id, amount: total }).await?;
        }
        OrderEvent::OrderApproved
        | OrderEvent::OrderRejected { .. }
        | OrderEvent::OrderCancelUndone
        | OrderEvent::OrderCancelled
        | OrderEvent::OrderRevisionRefused { .. }
        | OrderEvent::OrderRevised { .. } => {}
    }
    Ok(())
}

fn read<T: DeserializeOwned>(event: &Record) -> Result<T, HandlerError> {
    serde_json::from_str(&event.payload)
        .map_err(|error| HandlerError::Permanent(format!("the body does not read: {error}")))
}
