//! What an operator does to an account, each in one unit of work and decided at once.

use crate::{
    account::Account,
    event::AccountEvent,
    ledger::{self, Payment},
    publish::{Asked, append, meanwhile},
};
use tramline_contract::{CustomerId, Money, PaymentReference, SetCreditLimit, Version};
use tramline_db::sql;
use tramline_eventsourcing::EventStore;
use tramline_messaging::{HandlerError, UnitOfWork};

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is done, now or since the first time; the customer's version that it made.
    Done(Version),
    /// There is no such customer.
    UnknownCustomer,
    /// The customer has this version by now, and not the one that the caller has seen.
    VersionConflict(Version),
    /// The id belongs to another payment.
    IdInUse,
    /// The sum of all payments would not fit any more.
    TooMuch,
}

/// Changes the credit limit, unless the customer has changed since the caller looked.
pub(crate) async fn set_credit_limit(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    wanted: SetCreditLimit,
) -> Result<Operation, HandlerError> {
    take_turn(work, id).await?;
    let Some((account, version)) = EventStore::<Account>::load(work.tx, id.0).await? else {
        return Ok(Operation::UnknownCustomer);
    };
    if let Some(expected) = wanted.expected_version.filter(|expected| expected.0 != version) {
        let repeated = changed_before(work, id, expected, wanted.credit_limit).await?;
        return Ok(if repeated {
            Operation::Done(expected.next())
        } else {
            Operation::VersionConflict(Version(version))
        });
    }
    match account.set_limit(wanted.credit_limit) {
        Some(event) => Ok(Operation::Done(append(work, &Asked::by_hand(), id, (account, version), &event).await?)),
        // It is so already: nothing happens, and a caller that repeats itself hears the same again.
        None => Ok(Operation::Done(Version(version))),
    }
}

/// Whether the event after the version that the caller has seen is the very change that it asks for: then its first request
/// was carried out and only the answer was lost.
async fn changed_before(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    expected: Version,
    wanted: Money,
) -> Result<bool, HandlerError> {
    let next = EventStore::<Account>::events(work.tx, id.0, expected.0, 1).await?.into_iter().next();
    let event = next.filter(|stored| stored.version == expected.next().0).map(|stored| stored.event);
    Ok(matches!(event, Some(AccountEvent::CreditLimitChanged { credit_limit, .. }) if credit_limit == wanted))
}

/// Enters a payment into the ledger and adds it to the account.
pub(crate) async fn record_payment(work: &mut UnitOfWork<'_>, payment: &Payment) -> Result<Operation, HandlerError> {
    take_turn(work, payment.customer_id).await?;
    if let Some((same, version)) = ledger::entered(work.tx, payment).await? {
        return Ok(if same { Operation::Done(version) } else { Operation::IdInUse });
    }
    let Some((account, version)) = EventStore::<Account>::load(work.tx, payment.customer_id.0).await? else {
        return Ok(Operation::UnknownCustomer);
    };
    if account.paid.checked_add(payment.amount).is_none() {
        return Ok(Operation::TooMuch);
    }
    let event = AccountEvent::PaymentRecorded {
        payment_id: payment.id,
        amount: payment.amount,
        reference: payment.reference.as_ref().map(PaymentReference::as_str).map(str::to_owned),
    };
    let version = append(work, &Asked::by_hand(), payment.customer_id, (account, version), &event).await?;
    let now = work.now;
    if !ledger::enter(work.tx, payment, version, now).await? {
        return Err(meanwhile());
    }
    Ok(Operation::Done(version))
}

/// Waits until no other operator works on the customer. Of an unknown one nothing is kept.
async fn take_turn(work: &mut UnitOfWork<'_>, id: CustomerId) -> Result<(), HandlerError> {
    work.tx
        .execute(
            sql("insert into account_turn (customer_id) select aggregate_id from event \
                 where aggregate_kind = 'Customer' and aggregate_id = $1 and version = 1 \
                 on conflict (customer_id) do update set customer_id = excluded.customer_id")
            .bind(id.0),
        )
        .await?;
    Ok(())
}
