//! What the service can do, each in one unit of work.

use crate::{
    account::Account,
    event::AccountEvent,
    ledger::Payment,
    operations::{self, Operation},
    publish::{Asked, publish},
};
use tramline_contract::{Created, CustomerId, CustomerName, Money, SetCreditLimit, Timestamp, Version};
use tramline_db::{DbError, UtcMicros};
use tramline_eventsourcing::{Appended, EventStore};
use tramline_messages::parts::CustomerAccount;
use tramline_messaging::{HandlerError, Messaging, UnitOfWork};

/// How often an operation is tried when sagas change the account at the same moment; operators take turns. Each try waits for
/// whoever was faster, so this many lost in a row means a customer that is hammered: then the caller is told to come back.
const ATTEMPTS_MAX: u32 = 20;

/// The customers service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Customers {
    messaging: Messaging,
}

/// What became of a request to create a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The customer is there, now or since the first time.
    Done(Created),
    /// The id belongs to another customer.
    IdInUse,
}

impl Customers {
    /// The service over its own database.
    #[must_use]
    pub const fn new(messaging: Messaging) -> Self {
        Self { messaging }
    }

    /// The database with its outbox.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Creates a customer. The id is the idempotency key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create(
        &self,
        traceparent: Option<String>,
        id: CustomerId,
        name: CustomerName,
        credit_limit: Money,
    ) -> Result<Creation, DbError> {
        self.messaging
            .transact(traceparent, move |work| Box::pin(async move { create(work, id, &name, credit_limit).await }))
            .await
    }

    /// Changes the credit limit.
    ///
    /// # Errors
    /// When the database fails, or others change the account all the time.
    pub async fn set_credit_limit(
        &self,
        traceparent: Option<String>,
        id: CustomerId,
        wanted: SetCreditLimit,
    ) -> Result<Operation, HandlerError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.try_credit_limit(traceparent.clone(), id, wanted).await {
                Err(HandlerError::Transient(_)) => {}
                other => return other,
            }
        }
        self.try_credit_limit(traceparent, id, wanted).await.map_err(crowded)
    }

    async fn try_credit_limit(
        &self,
        traceparent: Option<String>,
        id: CustomerId,
        wanted: SetCreditLimit,
    ) -> Result<Operation, HandlerError> {
        self.messaging.transact(traceparent, move |work| Box::pin(operations::set_credit_limit(work, id, wanted))).await
    }

    /// Records a payment. Its id is the idempotency key.
    ///
    /// # Errors
    /// When the database fails, or others change the account all the time.
    pub async fn record_payment(
        &self,
        traceparent: Option<String>,
        payment: Payment,
    ) -> Result<Operation, HandlerError> {
        for _ in 1..ATTEMPTS_MAX {
            match self.try_payment(traceparent.clone(), payment.clone()).await {
                Err(HandlerError::Transient(_)) => {}
                other => return other,
            }
        }
        self.try_payment(traceparent, payment).await.map_err(crowded)
    }

    async fn try_payment(&self, traceparent: Option<String>, payment: Payment) -> Result<Operation, HandlerError> {
        self.messaging
            .transact(traceparent, move |work| {
                Box::pin(async move { operations::record_payment(work, &payment).await })
            })
            .await
    }

    /// The account as it stands, made from its events; `None` when there is no such customer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, id: CustomerId) -> Result<Option<CustomerAccount>, DbError> {
        let found = EventStore::<Account>::read(self.messaging.db(), id.0).await?;
        Ok(found.map(|(account, version)| CustomerAccount {
            id,
            available_credit: account.available_credit(),
            name: account.name,
            credit_limit: account.credit_limit,
            reserved: account.reserved,
            paid: account.paid,
            version: Version(version),
            created_at: Timestamp(UtcMicros(account.created_at_micros).to_rfc3339()),
        }))
    }
}

async fn create(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    name: &CustomerName,
    credit_limit: Money,
) -> Result<Creation, DbError> {
    let now = work.now;
    let created =
        AccountEvent::CustomerCreated { name: name.as_str().to_owned(), credit_limit, created_at_micros: now.0 };
    let mut account = Account::default();
    let appended = EventStore::append(work.tx, id.0, &mut account, 0, std::slice::from_ref(&created), now).await?;
    match appended {
        Appended::At(version) => {
            publish(work, &Asked::by_hand(), id, version, &created, &account)?;
            Ok(Creation::Done(Created { id: id.0, version: Version(version) }))
        }
        Appended::Conflict => {
            let first = EventStore::<Account>::events(work.tx, id.0, 0, 1).await?.into_iter().next();
            let same = matches!(
                first.map(|stored| stored.event),
                Some(AccountEvent::CustomerCreated { name: first, credit_limit: limit, .. })
                    if first == name.as_str() && limit == credit_limit
            );
            Ok(if same { Creation::Done(Created { id: id.0, version: Version::FIRST }) } else { Creation::IdInUse })
        }
    }
}

/// Others were faster every time: the caller may try again.
fn crowded(error: HandlerError) -> HandlerError {
    match error {
        HandlerError::Transient(reason) => HandlerError::Store(reason),
        other => other,
    }
}
