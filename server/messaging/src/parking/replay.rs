//! How a parked message is handled again: by the same handler as ever, in the transaction that takes it out of the lot.

use super::{
    By, ParkedMessage,
    audit::{self, Deed},
    entry, let_go, lock,
};
use crate::{Handler, HandlerError, Message, Messaging, Record, Transactional, UnitOfWork};
use std::sync::Arc;
use tramline_db::{BoxFuture, DbError, sql};
use uuid::Uuid;

/// A group as its parking lot sees it: what can handle a message outside of its stream.
pub trait Replay: Send + Sync + 'static {
    /// Handles the first message of the turn's key and takes it out of the lot, together or not at all. A store that is no
    /// database applies the message first and takes it out then, so its effects must bear repetition. `None`: nothing waits.
    ///
    /// # Errors
    /// Says which message failed, if one did. Then it still waits.
    fn replay<'a>(&'a self, turn: Turn) -> BoxFuture<'a, Result<Option<Replayed>, ReplayFailure>>;

    /// Handles the message and undoes that.
    ///
    /// # Errors
    /// As the handler fails.
    fn dry_run<'a>(&'a self, record: &'a Arc<Record>) -> BoxFuture<'a, Result<DryRun, HandlerError>>;

    /// Called in the transaction in which a message leaves the lot unhandled: whoever can learn otherwise what it said notes
    /// that here. Most cannot.
    ///
    /// # Errors
    /// When the database fails; then the message still waits.
    fn skipped<'a>(
        &'a self,
        _work: &'a mut UnitOfWork<'_>,
        _message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What a handler would have done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryRun {
    /// The messages that it would have sent.
    pub sends: Vec<Message>,
    /// What else there is to say, such as what would have changed in a store without transactions.
    pub remark: Option<String>,
}

/// A message that was handled and has left the lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The message.
    pub message_id: Uuid,
    /// How many of its key still wait.
    pub left: i64,
}

/// Why a turn came to nothing.
#[derive(Debug)]
pub struct ReplayFailure {
    /// The message that could not be handled; `None` when the lot itself failed.
    pub message_id: Option<Uuid>,
    /// Why.
    pub cause: HandlerError,
}

impl From<DbError> for ReplayFailure {
    fn from(error: DbError) -> Self {
        Self { message_id: None, cause: error.into() }
    }
}

/// One message's turn to be handled again, and who asked for it.
#[derive(Clone, Debug)]
pub struct Turn {
    pub(super) group: &'static str,
    pub(super) key: Uuid,
    pub(super) by: By,
}

impl Turn {
    /// Takes the key for this transaction and reads its first message. `None`: nothing waits any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self, work: &mut UnitOfWork<'_>) -> Result<Option<ParkedMessage>, DbError> {
        if !lock(work.tx, self.group, self.key).await? {
            return Ok(None);
        }
        let first = entry::line(work.tx, self.group, self.key, 1).await?.pop();
        if first.is_none() {
            let_go(work.tx, self.group, self.key).await?;
        }
        Ok(first)
    }

    /// The first message, for a store that handles it outside of the lot's transactions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&self, messaging: &Messaging) -> Result<Option<ParkedMessage>, DbError> {
        entry::first(messaging.db(), self.group, self.key).await
    }

    /// Takes a message that was handled out of the lot, and says so in the audit. [`HandlerError::Moved`] when it is no longer
    /// there as it was: somebody else has handled, edited or skipped it.
    ///
    /// # Errors
    /// When the database fails, or the message has changed.
    pub async fn end(&self, work: &mut UnitOfWork<'_>, message: &ParkedMessage) -> Result<Replayed, HandlerError> {
        let removed = work.tx.execute(
            sql("delete from parked_message where consumer_group = $1 and message_key = $2 and source = $3 and channel = $4 \
                 and seq = $5 and payload = $6")
            .bind(self.group)
            .bind(self.key)
            .bind(message.source.as_str())
            .bind(message.channel.as_str())
            .bind(message.record.seq)
            .bind(message.record.payload.as_str()),
        );
        if removed.await? != 1 {
            return Err(HandlerError::Moved);
        }
        let left = let_go(work.tx, self.group, self.key).await?;
        audit::write(work, &self.by, message, Deed::of("retry", "handled")).await?;
        Ok(Replayed { message_id: message.record.id, left })
    }

    /// As [`Turn::end`], in a transaction of its own.
    ///
    /// # Errors
    /// As [`Turn::end`].
    pub async fn end_alone(&self, messaging: &Messaging, message: &ParkedMessage) -> Result<Replayed, HandlerError> {
        let (turn, message) = (self.clone(), message.clone());
        let ended = messaging.transact(None, move |work| {
            Box::pin(async move {
                if !lock(work.tx, turn.group, turn.key).await? {
                    return Err(HandlerError::Moved);
                }
                turn.end(work, &message).await
            })
        });
        ended.await
    }
}

impl<H: Handler> Replay for Transactional<H> {
    fn replay<'a>(&'a self, turn: Turn) -> BoxFuture<'a, Result<Option<Replayed>, ReplayFailure>> {
        Box::pin(async move {
            let handler = Arc::clone(self.handler());
            let replayed = self.messaging().transact::<_, ReplayFailure, _>(None, move |work| {
                Box::pin(async move {
                    let Some(message) = turn.begin(work).await? else { return Ok(None) };
                    let failed = |cause| ReplayFailure { message_id: Some(message.record.id), cause };
                    work.traceparent.clone_from(&message.record.headers.traceparent);
                    let batch = [Arc::clone(&message.record)];
                    let effect = handler.handle(work, &batch).await.map_err(failed)?;
                    let replayed = turn.end(work, &message).await.map_err(failed)?;
                    Ok(Some((effect, replayed)))
                })
            });
            Ok(replayed.await?.map(|(effect, replayed)| {
                self.handler().committed(effect);
                replayed
            }))
        })
    }

    fn dry_run<'a>(&'a self, record: &'a Arc<Record>) -> BoxFuture<'a, Result<DryRun, HandlerError>> {
        Box::pin(rehearse(self.messaging(), Arc::clone(self.handler()), Arc::clone(record)))
    }

    fn skipped<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        self.handler().skipped(work, message)
    }
}

/// Why a rehearsal was undone: because it is one, or because it failed.
enum Undone {
    AsMeant(DryRun),
    Failed(HandlerError),
}

impl From<DbError> for Undone {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// Handles a message in a unit of work that is undone.
async fn rehearse<H: Handler>(
    messaging: &Messaging,
    handler: Arc<H>,
    record: Arc<Record>,
) -> Result<DryRun, HandlerError> {
    let traceparent = record.headers.traceparent.clone();
    let undone = messaging.transact::<(), Undone, _>(traceparent, move |work| {
        Box::pin(async move {
            handler.handle(work, &[record]).await.map_err(Undone::Failed)?;
            Err(Undone::AsMeant(DryRun { sends: work.outgoing().to_vec(), remark: None }))
        })
    });
    match undone.await {
        Ok(()) => Ok(DryRun::default()),
        Err(Undone::AsMeant(dry_run)) => Ok(dry_run),
        Err(Undone::Failed(error)) => Err(error),
    }
}
