//! What carries messages from outboxes to consumers, as both see it.

use crate::{Batch, Channel, Position, Record, StreamId};
use std::sync::Arc;
use tramline_db::{BoxFuture, DbError};

/// What became of a batch that a relay published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The broker has everything up to the end of the batch. Numbers that it had before were skipped.
    Accepted,
    /// The broker lacks numbers before the batch: the relay must go back and publish from `head + 1`.
    Gap {
        /// The last number that the broker has.
        head: i64,
    },
}

/// A carrier of streams. It may forget: the outboxes can fill it again.
pub trait Broker: Send + Sync {
    /// Appends records, in order and without gaps, to one stream. Repeating a batch changes nothing.
    ///
    /// # Errors
    /// When the broker cannot be reached; nothing is known then of what it took.
    fn publish<'a>(
        &'a self,
        stream: &'a StreamId,
        records: Vec<Arc<Record>>,
    ) -> BoxFuture<'a, Result<Published, DbError>>;

    /// Starts to listen for messages of the given sources and channels.
    fn subscribe(&self, channels: &[(&'static str, Channel)]) -> Box<dyn Subscription>;
}

/// One consumer group's ear at a broker.
pub trait Subscription: Send {
    /// Waits until some stream has records after the given positions, and returns at most `limit` of them: each
    /// stream's in order and without gaps. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    fn next<'a>(&'a mut self, positions: &'a [Position], limit: usize) -> BoxFuture<'a, Result<Vec<Batch>, DbError>>;
}
