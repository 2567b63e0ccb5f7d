//! Tells the world what happened to an account: the stored event, enriched with the state that it made.

use crate::account::{Account, AccountEvent};
use tramline_contract::CustomerId;
use tramline_db::DbError;
use tramline_messages::{
    channels::CUSTOMER_EVENTS,
    customers::{CustomerChanged, CustomerEvent, CustomerSnapshot},
};
use tramline_messaging::{Headers, UnitOfWork};

/// Sends an event in the unit of work that stored it.
pub(crate) fn publish(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    version: i64,
    event: &AccountEvent,
    after: &Account,
) -> Result<(), DbError> {
    let event = match event {
        AccountEvent::CustomerCreated { .. } => CustomerEvent::CustomerCreated,
        AccountEvent::CreditReserved { order_id, amount } => {
            CustomerEvent::CreditReserved { order_id: *order_id, amount: *amount }
        }
        AccountEvent::CreditRefused { order_id, amount } => {
            CustomerEvent::CreditRefused { order_id: *order_id, amount: *amount }
        }
    };
    let headers = Headers {
        kind: event.kind().to_owned(),
        aggregate_id: Some(id.0),
        aggregate_version: Some(version),
        ..Headers::default()
    };
    let after = CustomerSnapshot {
        name: after.name.clone(),
        credit_limit: after.credit_limit,
        reserved: after.reserved,
        paid: after.paid,
        created_at_micros: after.created_at_micros,
    };
    let payload = serde_json::to_string(&CustomerChanged { event, after })
        .map_err(|error| DbError::corrupt("an event", error))?;
    work.send(CUSTOMER_EVENTS, id.0, headers, payload);
    Ok(())
}
