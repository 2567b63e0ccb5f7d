//! Decides what sagas ask of a customer's credit, each in the unit of work of its command, and writes the decision down.
//!
//! Repeating a command repeats its answer and changes nothing: a reservation is asked for once per order, a change or
//! release once per order and saga.

use crate::{
    account::Account,
    publish::{Asked, append, meanwhile, publish_unknown},
    reservation,
};
use tramline_contract::{Money, RejectionReason};
use tramline_eventsourcing::EventStore;
use tramline_messages::customers::{ChangeReservation, ReleaseCredit, ReserveCredit};
use tramline_messaging::{HandlerError, UnitOfWork};

/// Holds credit for an order, or says why not.
pub(crate) async fn reserve(
    work: &mut UnitOfWork<'_>,
    asked: &Asked,
    command: &ReserveCredit,
) -> Result<Option<RejectionReason>, HandlerError> {
    let ReserveCredit { customer_id, order_id, amount } = *command;
    let loaded = EventStore::<Account>::load(work.tx, customer_id.0).await?;
    let decision = loaded.as_ref().map(|(account, _)| account.reserve(order_id, amount));
    let refused = match &decision {
        Some((_, refused)) => *refused,
        None => Some(RejectionReason::UnknownCustomer),
    };
    if !reservation::record(work.tx, order_id, customer_id, amount, refused).await? {
        let first = reservation::outcome(work.tx, order_id).await?;
        return first.ok_or_else(|| HandlerError::Transient("the reservation vanished".to_owned()));
    }
    match (loaded, decision) {
        (Some(loaded), Some((event, _))) => {
            append(work, asked, customer_id, loaded, &event).await?;
        }
        _ => publish_unknown(work, asked, customer_id, order_id)?,
    }
    Ok(refused)
}

/// Gives back what is held for an order. That nothing is held is no refusal: the command asks for just that.
pub(crate) async fn release(
    work: &mut UnitOfWork<'_>,
    asked: &Asked,
    command: &ReleaseCredit,
) -> Result<(), HandlerError> {
    let ReleaseCredit { customer_id, order_id } = *command;
    if !reservation::record_change(work.tx, order_id, asked.saga_id()?, None).await? {
        return Ok(());
    }
    let held = reservation::held(work.tx, order_id, customer_id).await?;
    let Some(loaded) = EventStore::<Account>::load(work.tx, customer_id.0).await? else { return Ok(()) };
    let Some(event) = loaded.0.release(order_id, held) else { return Ok(()) };
    if !reservation::hold(work.tx, order_id, held, Money::ZERO).await? {
        return Err(meanwhile());
    }
    append(work, asked, customer_id, loaded, &event).await?;
    Ok(())
}

/// Holds another amount for an order, or says why not.
pub(crate) async fn change(
    work: &mut UnitOfWork<'_>,
    asked: &Asked,
    command: &ChangeReservation,
) -> Result<Option<RejectionReason>, HandlerError> {
    let saga_id = asked.saga_id()?;
    let ChangeReservation { customer_id, order_id, amount } = *command;
    let held = reservation::held(work.tx, order_id, customer_id).await?;
    let loaded = EventStore::<Account>::load(work.tx, customer_id.0).await?;
    let decision = loaded.as_ref().map(|(account, _)| account.change(order_id, held, amount));
    let refused = match &decision {
        Some((_, refused)) => *refused,
        None => Some(RejectionReason::UnknownCustomer),
    };
    if !reservation::record_change(work.tx, order_id, saga_id, refused).await? {
        let first = reservation::change_outcome(work.tx, order_id, saga_id).await?;
        return first.ok_or_else(|| HandlerError::Transient("the answer vanished".to_owned()));
    }
    if refused.is_none() && !reservation::hold(work.tx, order_id, held, amount).await? {
        return Err(meanwhile());
    }
    if let (Some(loaded), Some((event, _))) = (loaded, decision) {
        append(work, asked, customer_id, loaded, &event).await?;
    }
    Ok(refused)
}
