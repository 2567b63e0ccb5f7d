//! What the service can do, each in one unit of work.

use crate::{
    account::{Account, AccountEvent},
    publish::publish,
    reservation,
};
use tramline_contract::{Created, CustomerId, CustomerName, Money, RejectionReason, Timestamp, Version};
use tramline_db::{DbError, UtcMicros};
use tramline_eventsourcing::{Appended, EventStore};
use tramline_messages::{customers::ReserveCredit, parts::CustomerAccount};
use tramline_messaging::{HandlerError, Messaging, UnitOfWork};

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
            publish(work, id, version, &created, &account)?;
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

/// Decides a request for credit and writes the decision down. Repeating the command repeats the answer.
pub(crate) async fn reserve_credit(
    work: &mut UnitOfWork<'_>,
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
    if let (Some((mut account, version)), Some((event, _))) = (loaded, decision) {
        let now = work.now;
        let events = std::slice::from_ref(&event);
        match EventStore::append(work.tx, customer_id.0, &mut account, version, events, now).await? {
            Appended::At(version) => publish(work, customer_id, version, &event, &account)?,
            Appended::Conflict => return Err(HandlerError::Transient("the account changed meanwhile".to_owned())),
        }
    }
    Ok(refused)
}
