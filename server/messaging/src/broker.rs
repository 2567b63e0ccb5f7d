//! What carries messages from outboxes to consumers, as both see it.

use crate::{Batch, Channel, Position, Record, StreamId};
use std::sync::Arc;
use tokio::sync::Notify;
use tramline_db::{BoxFuture, DbError};

/// Why a broker did not answer.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It cannot be reached, or did not answer in time; nothing is known of what it took.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    /// It is there and refuses: a wrong password, no memory left, and the like; nothing is known of what it took.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// What lies in it does not read.
    #[error("the broker holds what does not read: {0}")]
    Corrupt(String),
    /// A database behind it failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Records that a relay wants to append to one stream.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Where they go.
    pub stream: StreamId,
    /// The relay's lease on the stream's partition (*fencing token*, Kleppmann 2016): rises with each new owner.
    pub epoch: i64,
    /// The records, in order and without gaps.
    pub records: Vec<Arc<Record>>,
}

/// What became of a [`Publication`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The broker has everything up to its end. Numbers that it had before were skipped.
    Accepted,
    /// The broker lacks numbers before it: the relay must go back and publish from `head + 1`.
    Gap {
        /// The last number that the broker has.
        head: i64,
    },
    /// Somebody with a newer lease publishes this stream: the relay must stop.
    Fenced {
        /// The newer lease.
        epoch: i64,
    },
}

/// A carrier of streams. It may forget: the outboxes can fill it again.
pub trait Broker: Send + Sync {
    /// Appends to streams, and answers for each in the same order. Repeating a publication changes nothing.
    ///
    /// # Errors
    /// When the broker cannot be reached; nothing is known then of what it took.
    fn publish<'a>(&'a self, publications: &'a [Publication]) -> BoxFuture<'a, Result<Vec<Published>, BrokerError>>;

    /// Whether [`Broker::publish`] answers without waiting, so that it may be called where nothing may wait.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// The last number that the broker has of each stream, 0 for none. A number lower than before tells that it forgot.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    fn heads<'a>(&'a self, streams: &'a [StreamId]) -> BoxFuture<'a, Result<Vec<i64>, BrokerError>>;

    /// Starts to listen for a consumer group to messages of the given sources and channels. From the first
    /// [`Subscription::next`] on, the broker keeps for the group what comes after its positions.
    fn subscribe(&self, group: &'static str, channels: &[(&'static str, Channel)]) -> Box<dyn Subscription>;

    /// Tells how far a consumer group has come for good. What every group that ever told so has, may be forgotten.
    ///
    /// # Errors
    /// When the broker cannot be reached. Telling it later does as well.
    fn committed<'a>(
        &'a self,
        group: &'static str,
        positions: &'a [Position],
    ) -> BoxFuture<'a, Result<(), BrokerError>>;

    /// Tells the source's relays in other processes that its outbox has news. May get lost.
    fn nudge<'a>(&'a self, source: &'static str) -> BoxFuture<'a, ()>;

    /// Has `news` notified when another process calls [`Broker::nudge`] for this source.
    fn on_nudge(&self, source: &'static str, news: Arc<Notify>);
}

/// One consumer group's ear at a broker.
pub trait Subscription: Send {
    /// Waits until some stream has records after the given positions, and returns at most `limit` of them: each
    /// stream's in order and without gaps. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    fn next<'a>(
        &'a mut self,
        positions: &'a [Position],
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Batch>, BrokerError>>;
}
