//! The message relay: carries the outbox to the broker.
//!
//! There are two ways to learn of what was committed: [`Relay`] is handed it and reads the table (*Polling publisher*),
//! [`LogRelay`] reads the database's log (*Transaction log tailing*). What lies in the outbox and what the broker has are
//! the same either way, so one can take over from the other at any time.

mod log;
mod polling;
mod published;
mod publisher;
mod signal;
mod stepped;

pub use log::LogRelay;
pub use polling::Relay;
pub(crate) use signal::RelaySignal;
pub use stepped::SteppedRelay;

use crate::{Batch, Record, StreamId};
use std::{sync::Arc, time::Duration};

/// The lease task of every relay: one owner per partition of an outbox, whichever way it learns of rows.
pub const RELAY_TASK: &str = "relay";
/// How long a lost wake-up may delay a message.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The wait after a failure, so that a broken database is not hammered.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Groups rows by stream, keeping the order within each.
pub(crate) fn by_stream(records: Vec<(StreamId, Arc<Record>)>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (stream, record) in records {
        match batches.iter_mut().find(|(id, _)| *id == stream) {
            Some((_, batch)) => batch.push(record),
            None => batches.push((stream, vec![record])),
        }
    }
    batches
}
