//! The feed: every change of a document since this process started, for gateways to read by long poll.
//!
//! It is a bounded memory, not a store. Its epoch names this life of the process: whoever comes with another epoch, or
//! from before the oldest entry, reads the view again.

use serde_json::value::RawValue;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tramline_messages::feed::{FeedBatch, FeedItem, FeedKind};
use uuid::Uuid;

/// Entries kept. A gateway polls without pause, so it is never this far behind unless it was cut off.
const ENTRIES_MAX: usize = 16_384;
/// Entries per answer.
const BATCH_MAX: usize = 256;

/// The changes of documents, in order.
#[derive(Debug)]
pub struct Feed {
    epoch: String,
    kept: Mutex<Kept>,
    /// The newest cursor; also wakes readers of the view that wait for a version.
    head: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    head: u64,
    items: VecDeque<FeedItem>,
}

impl Feed {
    /// An empty feed of a new epoch.
    #[must_use]
    pub fn new(epoch: Uuid) -> Self {
        Self { epoch: epoch.simple().to_string(), kept: Mutex::default(), head: watch::Sender::new(0) }
    }

    /// Appends changed documents. The view shows them already.
    pub(crate) fn append(&self, documents: Vec<(FeedKind, Box<RawValue>)>) {
        let mut kept = self.lock();
        for (kind, document) in documents {
            kept.head += 1;
            let cursor = kept.head;
            kept.items.push_back(FeedItem { cursor, kind, document });
            if kept.items.len() > ENTRIES_MAX {
                kept.items.pop_front();
            }
        }
        let head = kept.head;
        drop(kept);
        self.head.send_replace(head);
    }

    /// Tells when the view changes.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// What came after `after`; waits for something to come, up to `wait`.
    pub(crate) async fn poll(&self, epoch: Option<&str>, after: u64, wait: Duration) -> FeedBatch {
        let mut news = self.head.subscribe();
        if epoch == Some(&self.epoch) && self.lock().head <= after {
            // Time out or not, the answer is what is there then.
            let _ = tokio::time::timeout(wait, news.wait_for(|head| *head > after)).await;
        }
        let kept = self.lock();
        let oldest = kept.items.front().map_or(kept.head + 1, |item| item.cursor);
        let items = if epoch == Some(&self.epoch) {
            let skip = usize::try_from((after + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
            kept.items.iter().skip(skip).take(BATCH_MAX).cloned().collect()
        } else {
            Vec::new()
        };
        FeedBatch { epoch: self.epoch.clone(), head: kept.head, oldest, items }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can leave it half-changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(number: usize) -> (FeedKind, Box<RawValue>) {
        (FeedKind::Order, RawValue::from_string(number.to_string()).expect("a number is JSON"))
    }

    #[tokio::test]
    async fn a_reader_gets_everything_after_its_cursor_once() {
        let feed = Feed::new(Uuid::nil());
        let epoch = feed.epoch.clone();
        feed.append((1..=300).map(document).collect());
        let first = feed.poll(Some(&epoch), 0, Duration::ZERO).await;
        let second = feed.poll(Some(&epoch), first.items.last().expect("a full page").cursor, Duration::ZERO).await;
        let cursors: Vec<_> = first.items.iter().chain(&second.items).map(|item| item.cursor).collect();
        assert_eq!(cursors, (1..=300).collect::<Vec<_>>());
        assert!(feed.poll(Some(&epoch), 300, Duration::from_millis(1)).await.items.is_empty());
    }

    #[tokio::test]
    async fn another_epoch_gets_no_items() {
        let feed = Feed::new(Uuid::nil());
        feed.append(vec![document(1)]);
        let batch = feed.poll(Some("other"), 0, Duration::from_secs(5)).await;
        assert!(batch.items.is_empty());
        assert_eq!((batch.head, batch.oldest), (1, 1));
    }

    #[tokio::test]
    async fn what_is_too_old_is_forgotten_and_said_so() {
        let feed = Feed::new(Uuid::nil());
        feed.append((0..ENTRIES_MAX + 10).map(document).collect());
        assert_eq!(feed.poll(None, 0, Duration::ZERO).await.oldest, 11);
    }
}
