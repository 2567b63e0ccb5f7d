//! The feed: changes of documents in order, for gateways to read by long poll.
//!
//! It is a bounded memory, not a store. Its epoch says what cursors mean: whoever comes with another epoch, or from before the
//! oldest entry, reads the view again. Of a view in this process's own database the feed is a part of this life of the
//! process; of a view in Redis it is a copy, which the module `follow` keeps up to date.

use serde_json::value::RawValue;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tramline_messages::feed::{FeedBatch, FeedItem, FeedKind};

/// Entries kept. A gateway polls without pause, so it is never this far behind unless it was cut off.
pub(crate) const ENTRIES_MAX: usize = 16_384;
/// Entries per answer.
const BATCH_MAX: usize = 256;
/// How long a caller who may know more than a copy waits for it to be brought up to date.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The changes of documents, in order.
#[derive(Debug)]
pub(crate) struct Feed {
    kept: Mutex<Kept>,
    /// Tells of every change; also wakes readers of the view that wait for a version.
    news: watch::Sender<News>,
    questions: Option<Questions>,
    /// The process stops.
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Kept {
    /// None before the first start.
    epoch: Option<String>,
    /// Counts starts.
    life: u64,
    head: u64,
    items: VecDeque<FeedItem>,
}

/// How long a poll waits for the first start.
const START_WAIT: Duration = Duration::from_secs(1);

/// The newest start and cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    life: u64,
    head: u64,
}

/// Callers who ask that a copy be brought up to date.
#[derive(Debug, Default)]
struct Questions {
    asked: AtomicU64,
    wake: Notify,
    answered: watch::Sender<u64>,
}

impl Feed {
    /// A feed that was not started yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            news: watch::Sender::default(),
            questions: None,
            closing: CancellationToken::new(),
        }
    }

    /// A copy of a feed that lies elsewhere.
    #[must_use]
    pub(crate) fn followed() -> Self {
        Self { questions: Some(Questions::default()), ..Self::new() }
    }

    /// Begins anew: the next entry comes after `head`.
    pub(crate) fn restart(&self, epoch: String, head: u64) {
        let mut kept = self.lock();
        let life = kept.life + 1;
        *kept = Kept { epoch: Some(epoch), life, head, items: VecDeque::new() };
        drop(kept);
        self.news.send_replace(News { life, head });
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
        let news = News { life: kept.life, head: kept.head };
        drop(kept);
        self.news.send_replace(news);
    }

    /// Tells when the view changes.
    pub(crate) fn watch(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    /// What came after `after`; waits for something to come, up to `wait`. `None` before the first start.
    pub(crate) async fn poll(&self, epoch: Option<&str>, after: u64, wait: Duration) -> Option<FeedBatch> {
        let mut news = self.news.subscribe();
        if self.lock().epoch.is_none() {
            // A process that has just begun reads its copy in a moment.
            let _ = tokio::time::timeout(START_WAIT, news.wait_for(|news| news.life > 0)).await;
        }
        if !self.lock().reaches(epoch, after) {
            // The caller may come from another process, whose copy is newer.
            self.look_again().await;
        }
        let (life, waits) = {
            let kept = self.lock();
            (kept.life, kept.epoch.as_deref() == epoch && epoch.is_some() && kept.head <= after)
        };
        if waits {
            // Time out or not, the answer is what is there then.
            let come = news.wait_for(|news| news.life != life || news.head > after);
            tokio::select! {
                () = self.closing.cancelled() => {}
                _ = tokio::time::timeout(wait, come) => {}
            }
        }
        let kept = self.lock();
        let known = kept.epoch.clone()?;
        let oldest = kept.items.front().map_or(kept.head + 1, |item| item.cursor);
        let items = if epoch == Some(&known) {
            let skip = usize::try_from((after.saturating_add(1)).saturating_sub(oldest)).unwrap_or(usize::MAX);
            kept.items.iter().skip(skip).take(BATCH_MAX).cloned().collect()
        } else {
            Vec::new()
        };
        Some(FeedBatch { epoch: known, head: kept.head, oldest, items })
    }

    /// Lets nobody wait any more: the process stops.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Waits until the copy is as new as its original is now.
    async fn look_again(&self) {
        let Some(Questions { asked, wake, answered }) = &self.questions else { return };
        let mut answers = answered.subscribe();
        let question = asked.fetch_add(1, Ordering::SeqCst) + 1;
        wake.notify_one();
        // Where the original cannot be read, the copy is what there is.
        let _ = tokio::time::timeout(LOOK_MAX, answers.wait_for(|answered| *answered >= question)).await;
    }

    /// Waits for a question.
    pub(crate) async fn asked(&self) {
        match &self.questions {
            Some(questions) => questions.wake.notified().await,
            None => std::future::pending().await,
        }
    }

    /// How many questions there were: those that a look from now on answers.
    pub(crate) fn questions(&self) -> u64 {
        self.questions.as_ref().map_or(0, |questions| questions.asked.load(Ordering::SeqCst))
    }

    /// Answers questions, up to this one.
    pub(crate) fn answer(&self, question: u64) {
        if let Some(questions) = &self.questions {
            questions.answered.send_replace(question);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can leave it half-changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Whether a caller with this position knows nothing that is not known here.
    fn reaches(&self, epoch: Option<&str>, after: u64) -> bool {
        self.epoch.as_deref() == epoch && self.epoch.is_some() && self.head >= after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> Feed {
        let feed = Feed::new();
        feed.restart("e".to_owned(), 0);
        feed
    }

    async fn poll(feed: &Feed, epoch: Option<&str>, after: u64, wait: Duration) -> FeedBatch {
        feed.poll(epoch, after, wait).await.expect("it was started")
    }

    fn document(number: usize) -> (FeedKind, Box<RawValue>) {
        (FeedKind::Order, RawValue::from_string(number.to_string()).expect("a number is JSON"))
    }

    #[tokio::test]
    async fn a_reader_gets_everything_after_its_cursor_once() {
        let feed = started();
        feed.append((1..=300).map(document).collect());
        let first = poll(&feed, Some("e"), 0, Duration::ZERO).await;
        let second = poll(&feed, Some("e"), first.items.last().expect("a full page").cursor, Duration::ZERO).await;
        let cursors: Vec<_> = first.items.iter().chain(&second.items).map(|item| item.cursor).collect();
        assert_eq!(cursors, (1..=300).collect::<Vec<_>>());
        assert!(poll(&feed, Some("e"), 300, Duration::from_millis(1)).await.items.is_empty());
    }

    #[tokio::test]
    async fn another_epoch_gets_no_items() {
        let feed = started();
        feed.append(vec![document(1)]);
        let batch = poll(&feed, Some("other"), 0, Duration::from_secs(5)).await;
        assert!(batch.items.is_empty());
        assert_eq!((batch.head, batch.oldest), (1, 1));
    }

    #[tokio::test]
    async fn what_is_too_old_is_forgotten_and_said_so() {
        let feed = started();
        feed.append((0..ENTRIES_MAX + 10).map(document).collect());
        assert_eq!(poll(&feed, None, 0, Duration::ZERO).await.oldest, 11);
    }

    #[tokio::test]
    async fn a_caller_who_knows_more_than_the_copy_has_it_brought_up_to_date() {
        let feed = Feed::followed();
        feed.restart("e".to_owned(), 4);
        let looking = async {
            feed.asked().await;
            let asked = feed.questions();
            feed.restart("f".to_owned(), 6);
            feed.append(vec![document(7)]);
            feed.answer(asked);
        };
        let (batch, ()) = tokio::join!(poll(&feed, Some("f"), 6, Duration::ZERO), looking);
        assert_eq!((batch.epoch.as_str(), batch.head, batch.items.len()), ("f", 7, 1));
    }

    #[tokio::test]
    async fn a_new_epoch_ends_a_wait() {
        let feed = started();
        let restart = async { feed.restart("f".to_owned(), 0) };
        let (batch, ()) = tokio::join!(poll(&feed, Some("e"), 0, Duration::from_secs(60)), restart);
        assert_eq!((batch.epoch.as_str(), batch.items.len()), ("f", 0));
    }

    #[tokio::test]
    async fn a_feed_that_was_not_started_has_no_answer() {
        assert!(Feed::new().poll(None, 0, Duration::ZERO).await.is_none());
    }
}
