//! Stores what happened to an account and tells the world in the same unit of work: the event, enriched with the state that
//! it made.

use crate::{account::Account, event::AccountEvent};
use tramline_contract::{CustomerId, Version};
use tramline_db::DbError;
use tramline_eventsourcing::{Appended, EventStore};
use tramline_messages::{
    channels::CUSTOMER_EVENTS,
    customers::{CustomerChanged, CustomerEvent, CustomerSnapshot},
};
use tramline_messaging::{HandlerError, Headers, UnitOfWork};

/// Appends an event to an account that was loaded, and sends it. Returns the version that it made.
pub(crate) async fn append(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    (mut account, version): (Account, i64),
    event: &AccountEvent,
) -> Result<Version, HandlerError> {
    let now = work.now;
    match EventStore::append(work.tx, id.0, &mut account, version, std::slice::from_ref(event), now).await? {
        Appended::At(version) => {
            publish(work, id, version, event, &account)?;
            Ok(Version(version))
        }
        Appended::Conflict => Err(meanwhile()),
    }
}

/// Somebody else was faster: the whole unit of work is tried again on what stands then.
pub(crate) fn meanwhile() -> HandlerError {
    HandlerError::Transient("the account changed meanwhile".to_owned())
}

/// Sends an event in the unit of work that stored it.
pub(crate) fn publish(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    version: i64,
    event: &AccountEvent,
    after: &Account,
) -> Result<(), DbError> {
    let event = told(event);
    let headers = Headers {
        kind: event.kind().to_owned(),
        aggregate_id: Some(id.0),
        aggregate_version: Some(version),
        ..Headers::default()
    };
    let after = snapshot(after);
    let payload = serde_json::to_string(&CustomerChanged { event, after })
        .map_err(|error| DbError::corrupt("an event", error))?;
    work.send(CUSTOMER_EVENTS, id.0, headers, payload);
    Ok(())
}

/// What others are told of an event. The state that it made is told beside it.
fn told(event: &AccountEvent) -> CustomerEvent {
    match *event {
        AccountEvent::CustomerCreated { .. } => CustomerEvent::CustomerCreated,
        AccountEvent::CreditReserved { order_id, amount } => CustomerEvent::CreditReserved { order_id, amount },
        AccountEvent::CreditRefused { order_id, amount } => CustomerEvent::CreditRefused { order_id, amount },
        AccountEvent::CreditReleased { order_id, amount } => CustomerEvent::CreditReleased { order_id, amount },
        AccountEvent::ReservationChanged { order_id, amount, previous } => {
            CustomerEvent::ReservationChanged { order_id, amount, previous }
        }
        AccountEvent::ReservationChangeRefused { order_id, amount } => {
            CustomerEvent::ReservationChangeRefused { order_id, amount }
        }
        AccountEvent::CreditLimitChanged { previous, .. } => CustomerEvent::CreditLimitChanged { previous },
        AccountEvent::PaymentRecorded { payment_id, amount, .. } => {
            CustomerEvent::PaymentRecorded { payment_id, amount }
        }
    }
}

/// An account as events carry it.
pub(crate) fn snapshot(account: &Account) -> CustomerSnapshot {
    CustomerSnapshot {
        name: account.name.clone(),
        credit_limit: account.credit_limit,
        reserved: account.reserved,
        paid: account.paid,
        created_at_micros: account.created_at_micros,
    }
}
