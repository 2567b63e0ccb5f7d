//! What a consumer group does with messages, and why it may not. It knows no broker and no offset.

use crate::{ParkedMessage, Record, UnitOfWork};
use std::sync::Arc;
use tramline_db::{BoxFuture, DbError};

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// It may work later: tried again, with growing waits, then parked.
    #[error("{0}")]
    Transient(String),
    /// It can never work (an unknown kind, a body that does not read): parked at once.
    #[error("{0}")]
    Permanent(String),
    /// The offset stands elsewhere, or the stream has a newer owner: nothing is wrong with the message.
    #[error("the offset stands elsewhere")]
    Moved,
    /// A store other than a database failed.
    #[error("the store failed: {0}")]
    Store(String),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl HandlerError {
    /// Whether the cause is a store that may answer in a moment.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Db(error) => error.may_pass(),
            Self::Moved | Self::Store(_) => true,
            Self::Transient(_) | Self::Permanent(_) => false,
        }
    }
}

/// What a consumer group does with messages. Must bear repetition of a message that was re-sent with a new number.
pub trait Handler: Send + Sync + 'static {
    /// What is left to do once the transaction has committed.
    type Effect: Send + 'static;

    /// Applies a batch in the unit of work: each stream's messages in order. An error undoes the whole batch.
    ///
    /// # Errors
    /// Says whether to try again.
    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<Self::Effect, HandlerError>>;

    /// Called in the transaction in which an operator takes a parked message out of the lot for good. See [`crate::Replay::skipped`].
    ///
    /// # Errors
    /// When the database fails.
    fn skipped<'a>(
        &'a self,
        _work: &'a mut UnitOfWork<'_>,
        _message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Called after the commit: tell others in the process. A crash may come between, so never rely on it for state.
    fn committed(&self, effect: Self::Effect);
}
