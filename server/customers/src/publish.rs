//! Stores what happened to an account and tells the world in the same unit of work: the event, enriched with the state that
//! it made.

use crate::{account::Account, event::AccountEvent};
use tramline_contract::{CustomerId, OrderId, Version};
use tramline_db::DbError;
use tramline_eventsourcing::{Appended, EventStore};
use tramline_messages::{
    channels::CUSTOMER_EVENTS,
    customers::{CustomerChanged, CustomerEvent, CustomerSnapshot, CustomerUnknown},
};
use tramline_messaging::{HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// The saga for whose sake an account changes.
///
/// It is a part of the name of what is asked: another saga may ask for the same order again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    saga_id: Option<Uuid>,
    /// The kind of a saga that nobody leads: the event itself is the answer, and says so.
    choreographed: Option<String>,
}

impl Asked {
    /// No saga: a person did.
    pub(crate) fn by_hand() -> Self {
        Self::default()
    }

    /// A saga that is led, which gets a reply.
    pub(crate) fn by_command(command: &Record) -> Self {
        Self { saga_id: command.headers.saga_id, choreographed: None }
    }

    /// A saga that nobody leads, which goes on by what is told now.
    pub(crate) fn by_event(event: &Record) -> Self {
        Self { saga_id: event.headers.saga_id, choreographed: event.headers.saga_type.clone() }
    }

    pub(crate) fn saga_id(&self) -> Result<Uuid, HandlerError> {
        self.saga_id.ok_or_else(|| HandlerError::Permanent("the message names no saga".to_owned()))
    }

    /// What an event says of its cause.
    fn headers(&self, kind: &str) -> Headers {
        let choreographed = self.choreographed.clone();
        Headers {
            kind: kind.to_owned(),
            saga_id: self.saga_id.filter(|_| choreographed.is_some()),
            saga_type: choreographed,
            ..Headers::default()
        }
    }
}

/// Appends an event to an account that was loaded, and sends it. Returns the version that it made.
pub(crate) async fn append(
    work: &mut UnitOfWork<'_>,
    asked: &Asked,
    id: CustomerId,
    (mut account, version): (Account, i64),
    event: &AccountEvent,
) -> Result<Version, HandlerError> {
    let now = work.now;
    match EventStore::append(work.tx, id.0, &mut account, version, std::slice::from_ref(event), now).await? {
        Appended::At(version) => {
            publish(work, asked, id, version, event, &account)?;
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
    asked: &Asked,
    id: CustomerId,
    version: i64,
    event: &AccountEvent,
    after: &Account,
) -> Result<(), DbError> {
    let event = told(event);
    let headers = Headers { aggregate_id: Some(id.0), aggregate_version: Some(version), ..asked.headers(event.kind()) };
    let after = snapshot(after);
    let payload = serde_json::to_string(&CustomerChanged { event, after })
        .map_err(|error| DbError::corrupt("an event", error))?;
    work.send(CUSTOMER_EVENTS, id.0, headers, payload);
    Ok(())
}

/// Tells a saga that nobody leads that there is no such customer. One that is led hears it in the reply.
pub(crate) fn publish_unknown(
    work: &mut UnitOfWork<'_>,
    asked: &Asked,
    customer_id: CustomerId,
    order_id: OrderId,
) -> Result<(), DbError> {
    if asked.choreographed.is_none() {
        return Ok(());
    }
    let payload = serde_json::to_string(&CustomerUnknown { customer_id, order_id })
        .map_err(|error| DbError::corrupt("an event", error))?;
    work.send(CUSTOMER_EVENTS, customer_id.0, asked.headers(CustomerUnknown::KIND), payload);
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
