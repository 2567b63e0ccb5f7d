//! What the service can do.

use crate::{
    letter,
    recipients::MailAddresses,
    store::{self, Place, Row},
};
use std::sync::Arc;
use tokio::sync::Notify;
use tramline_contract::{Mail, MailId, MailState, OrderId, Page, Timestamp, Version};
use tramline_db::{DbError, UtcMicros};
use tramline_messages::notifications::NotifyCustomer;
use tramline_messaging::{Messaging, UnitOfWork};

/// The notifications service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifications {
    messaging: Messaging,
    addresses: Arc<MailAddresses>,
    /// Tells the sender that there is something new.
    news: Arc<Notify>,
}

/// What became of the wish to try a mail again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    Waits(Box<Mail>),
    /// It is not given up.
    NotFailed(MailState),
    Unknown,
}

impl Notifications {
    /// The service over its own database.
    #[must_use]
    pub fn new(messaging: Messaging, addresses: MailAddresses) -> Self {
        Self { messaging, addresses: Arc::new(addresses), news: Arc::default() }
    }

    /// The database, with the offsets of what was read.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    pub(crate) fn addresses(&self) -> &MailAddresses {
        &self.addresses
    }

    /// Something new to send is there.
    pub(crate) fn tell_sender(&self) {
        self.news.notify_one();
    }

    /// Waits until something new to send is there.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    pub(crate) async fn list(
        &self,
        state: Option<MailState>,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page<Mail>, DbError> {
        let mut rows = store::list(self.messaging.db(), state, after, i64::from(limit) + 1).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(|row| {
            let id = MailId { order_id: OrderId(row.order_id), order_version: Version(row.order_version) };
            Place { created_at: row.created_at, id }.to_string()
        });
        Ok(Page { items: rows.into_iter().map(|row| self.document(row)).collect::<Result<_, _>>()?, next_cursor })
    }

    pub(crate) async fn find(&self, id: MailId) -> Result<Option<Mail>, DbError> {
        store::find(self.messaging.db(), id).await?.map(|row| self.document(row)).transpose()
    }

    /// Has a mail that was given up tried again.
    pub(crate) async fn retry(&self, id: MailId) -> Result<Retry, DbError> {
        let retried = self.messaging.transact::<bool, DbError, _>(None, move |work: &mut UnitOfWork<'_>| {
            Box::pin(async move { store::retry(work.tx, id).await })
        });
        let retried = retried.await?;
        self.tell_sender();
        Ok(match self.find(id).await? {
            Some(mail) if retried => {
                tracing::info!(mail.id = %id, "an operator has a mail tried again");
                Retry::Waits(Box::new(mail))
            }
            Some(mail) => Retry::NotFailed(mail.state),
            None => Retry::Unknown,
        })
    }

    fn document(&self, row: Row) -> Result<Mail, DbError> {
        let told: NotifyCustomer =
            serde_json::from_str(&row.told).map_err(|error| DbError::corrupt("a command", error))?;
        let timestamp = |micros| Timestamp(UtcMicros(micros).to_rfc3339());
        Ok(Mail {
            id: MailId { order_id: told.order_id, order_version: told.order_version },
            order_id: told.order_id,
            order_version: told.order_version,
            customer_id: told.customer_id,
            about: told.about,
            to: self.addresses.of(told.customer_id).to_string(),
            subject: letter::subject(&told),
            state: MailState::parse(&row.state).ok_or_else(|| DbError::corrupt("a mail's state", row.state))?,
            attempts: row.attempts,
            duplicate_possible: row.duplicate_possible == 1,
            last_error: row.last_error,
            created_at: timestamp(row.created_at),
            due_at: row.due_at.map(timestamp),
            sent_at: row.sent_at.map(timestamp),
        })
    }
}
