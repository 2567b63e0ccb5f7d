//! Follows the history service's feed by long poll and puts it into the ring. One per gateway, whatever the number of sockets.

use crate::live::hub::Hub;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tramline_http::{CallError, ServiceClient};
use tramline_messages::feed::FeedBatch;

/// How long the service may wait for something to tell us.
const WAIT: Duration = Duration::from_secs(20);
/// How long its answer may take on top of that.
const GRACE: Duration = Duration::from_secs(5);
/// How long changes gather before the next poll when the feed is busy: they come in batches then instead of one poll per
/// change, which costs a fraction of the CPU. A quiet feed is polled again at once, so a lone outcome waits for nothing.
const GATHER: Duration = Duration::from_millis(2);
/// Changes in one answer that make a feed busy.
const BUSY_ITEMS: usize = 8;
/// The pauses after failures: short at first, since a service that restarts is soon back.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How far the ring is filled.
struct Position {
    epoch: String,
    after: u64,
    /// The head when this life of the ring began; once it is reached, sockets may be answered.
    open_at: u64,
}

/// Reads until the shutdown.
pub(crate) async fn read_feed(history: ServiceClient, hub: Arc<Hub>, shutdown: CancellationToken) {
    let mut position = None;
    let mut pause = None;
    loop {
        let Some(polled) = shutdown.run_until_cancelled(poll(&history, position.as_ref())).await else { return };
        let rest = match polled {
            Ok(batch) => {
                if pause.take().is_some() {
                    tracing::info!("the feed is read again");
                }
                let taken = take(&hub, position, &batch);
                let caught_up = taken.after >= batch.head;
                // An answer without anything in it came from a wait that is over, or from a service that does not wait.
                let calm = batch.items.len() >= BUSY_ITEMS || batch.items.is_empty();
                let rest = if caught_up && calm { GATHER } else { Duration::ZERO };
                position = Some(taken);
                rest
            }
            Err(error) => {
                if pause.is_none() {
                    tracing::warn!(error = %error, cause = error_cause(&error), "the feed cannot be read; trying on");
                }
                let now = pause.map_or(FIRST_PAUSE, |pause: Duration| (pause * 2).min(LONGEST_PAUSE));
                pause = Some(now);
                now
            }
        };
        if !rest.is_zero() && shutdown.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            return;
        }
    }
}

async fn poll(history: &ServiceClient, position: Option<&Position>) -> Result<FeedBatch, CallError> {
    let (query, wait) = match position {
        Some(Position { epoch, after, .. }) => {
            (format!("/feed?epoch={epoch}&after={after}&waitMs={}", WAIT.as_millis()), WAIT)
        }
        None => ("/feed?after=0&waitMs=0".to_owned(), Duration::ZERO),
    };
    history.get(&query).within(GRACE).long_poll(wait).json().await
}

/// Puts a batch into the ring, or starts the ring anew when the batch does not continue it.
fn take(hub: &Hub, position: Option<Position>, batch: &FeedBatch) -> Position {
    match position {
        Some(position) if continues(&position, batch) => {
            let after = batch.items.last().map_or(position.after, |item| item.cursor.max(position.after));
            if after > position.after {
                hub.change(|ring| {
                    batch.items.iter().for_each(|item| ring.push(item));
                    if after >= position.open_at {
                        ring.open();
                    }
                });
            }
            Position { after, ..position }
        }
        _ => hub.change(|ring| {
            let kept = u64::try_from(ring.capacity()).unwrap_or(u64::MAX);
            let after = batch.oldest.saturating_sub(1).max(batch.head.saturating_sub(kept));
            ring.restart(&batch.epoch, after);
            if after >= batch.head {
                ring.open();
            }
            Position { epoch: batch.epoch.clone(), after, open_at: batch.head }
        }),
    }
}

/// Whether nothing is missing between the position and the batch.
fn continues(position: &Position, batch: &FeedBatch) -> bool {
    batch.epoch == position.epoch && batch.head >= position.after && batch.oldest <= position.after + 1
}

fn error_cause(error: &CallError) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}
