//! Its turns in sagas that nobody leads: it begins them, hears what customers tell, and holds every event against the protocol.

use crate::{
    order::{Order, Refusal},
    store,
};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tramline_contract::{OrderId, RejectionReason, SagaId};
use tramline_db::{BoxFuture, UtcMicros};
use tramline_messages::{
    channels::CUSTOMER_EVENTS,
    customers::{CustomerChanged, CustomerEvent, CustomerUnknown},
    orders::OrderEvent,
    protocols,
    services::{CUSTOMERS, ORDERS},
};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use tramline_sagas::choreography::{Protocol, Told, begin, observe};

/// Begins a saga that nobody leads, by the event that was just told.
pub(crate) async fn begun(
    work: &mut UnitOfWork<'_>,
    kind: &'static str,
    order: &Order,
    told: Told,
) -> Result<(), HandlerError> {
    let saga = order.saga_id.ok_or_else(|| HandlerError::Permanent("the order names no saga".to_owned()))?;
    begin(work, protocol_of(Some(kind))?, saga.0, order.id.0, told).await
}

/// Hears what customers tell of sagas that nobody leads.
#[derive(Clone, Copy, Debug, Default)]
pub struct CustomerEventHandler;

/// Whether an event is one upon which this service has a turn.
#[must_use]
pub fn is_our_turn(event: &Record) -> bool {
    let protocol = event.headers.saga_type.as_deref().and_then(protocols::find);
    protocol.is_some_and(|protocol| protocol.owed(ORDERS, &event.headers.kind).is_some())
}

impl Handler for CustomerEventHandler {
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
    let protocol = protocol_of(record.headers.saga_type.as_deref())?;
    let saga = record.headers.saga_id.map(SagaId);
    let saga = saga.ok_or_else(|| HandlerError::Permanent("the event names no saga".to_owned()))?;
    let (order_id, turn) = turn_upon(record)?;
    let told = change(work, order_id, |order, now| turn.take(order, saga, now)).await?;
    let heard = Told::heard(CUSTOMERS, CUSTOMER_EVENTS, record);
    observe(work, protocol, saga.0, std::iter::once(heard).chain(told).collect()).await
}

/// What an order does upon an event of its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Approve,
    Reject(RejectionReason),
    ConfirmCancel,
    ConfirmRevision { total: tramline_contract::Money },
    UndoRevision,
}

impl Turn {
    fn take(self, order: &mut Order, saga: SagaId, now: UtcMicros) -> Result<OrderEvent, Refusal> {
        match self {
            Self::Approve => order.approve(saga, now),
            Self::Reject(reason) => order.reject(saga, reason, now),
            Self::ConfirmCancel => order.confirm_cancel(saga, now),
            Self::ConfirmRevision { total } => order.confirm_revision(saga, total, now),
            Self::UndoRevision => order.undo_revision(saga, RejectionReason::InsufficientCredit, now),
        }
    }
}

fn turn_upon(record: &Record) -> Result<(OrderId, Turn), HandlerError> {
    if record.headers.kind == CustomerUnknown::KIND {
        let CustomerUnknown { order_id, .. } = read(record)?;
        return Ok((order_id, Turn::Reject(RejectionReason::UnknownCustomer)));
    }
    let CustomerChanged { event, .. } = read(record)?;
    Ok(match event {
        CustomerEvent::CreditReserved { order_id, .. } => (order_id, Turn::Approve),
        CustomerEvent::CreditRefused { order_id, .. } => (order_id, Turn::Reject(RejectionReason::InsufficientCredit)),
        CustomerEvent::CreditReleased { order_id, .. } => (order_id, Turn::ConfirmCancel),
        CustomerEvent::ReservationChanged { order_id, amount, .. } => {
            (order_id, Turn::ConfirmRevision { total: amount })
        }
        CustomerEvent::ReservationChangeRefused { order_id, .. } => (order_id, Turn::UndoRevision),
        CustomerEvent::CustomerCreated
        | CustomerEvent::CreditLimitChanged { .. }
        | CustomerEvent::PaymentRecorded { .. } => {
            return Err(HandlerError::Permanent(format!("{} is no turn of a saga", event.kind())));
        }
    })
}

/// Lets an order change, and tells so. `None` when its life does not allow it: an event that was re-sent finds its turn taken.
async fn change(
    work: &mut UnitOfWork<'_>,
    id: OrderId,
    act: impl FnOnce(&mut Order, UtcMicros) -> Result<OrderEvent, Refusal>,
) -> Result<Option<Told>, HandlerError> {
    let Some(mut order) = store::load(work.tx, id).await? else {
        return Err(HandlerError::Permanent(format!("there is no order {id}")));
    };
    match act(&mut order, work.now) {
        Ok(event) => match store::update(work, &order, event).await? {
            Some(told) => Ok(Some(told)),
            None => Err(HandlerError::Transient("the order changed meanwhile".to_owned())),
        },
        Err(_) => Ok(None),
    }
}

fn protocol_of(kind: Option<&str>) -> Result<&'static Protocol, HandlerError> {
    let found = kind.and_then(protocols::find);
    found.ok_or_else(|| HandlerError::Permanent(format!("there is no protocol of {kind:?}")))
}

fn read<T: DeserializeOwned>(event: &Record) -> Result<T, HandlerError> {
    serde_json::from_str(&event.payload)
        .map_err(|error| HandlerError::Permanent(format!("the body does not read: {error}")))
}
