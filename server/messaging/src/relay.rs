//! The polling publisher: carries the outbox to the broker, handed each commit's rows, with the table as the net.
//!
//! What a commit wrote is handed over in memory, which spares a read. The sequence numbers tell whether that is all:
//! when one is missing, when too much came at once, after a failure and every second, the relay reads the table. A broker that
//! answers at once is published to by whoever committed, which spares a hand-over too.

use crate::{
    Batch, Broker, BrokerError, Epochs, Ownership, Record, StreamId,
    outbox::{Messaging, OutboxRow, heads, outbox_after},
    published::PublishedMarks,
};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tramline_db::DbError;

/// Rows per look into the outbox: bounds memory, and shares one statement between many messages.
const BATCH_ROWS: usize = 512;
/// Rows handed over that wait for the relay; beyond it they are read from the table instead.
const HANDED_MAX: usize = 4_096;
/// How long a lost wake-up may delay a message.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The wait after a failure, so that a broken database is not hammered.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Hands committed rows to the relay.
#[derive(Default)]
pub(crate) struct RelaySignal {
    handed: Mutex<Handed>,
    news: Arc<Notify>,
    /// Publishes on the spot; gives back whether the table must be read.
    direct: OnceLock<Box<dyn Fn(Vec<Batch>) -> bool + Send + Sync>>,
}

#[derive(Debug, Default)]
struct Handed {
    records: Vec<(StreamId, Arc<Record>)>,
    /// Some rows were not handed over: the table must be read.
    overflowed: bool,
}

impl std::fmt::Debug for RelaySignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelaySignal").field("handed", &self.handed).finish_non_exhaustive()
    }
}

impl RelaySignal {
    pub(crate) fn raise(&self, records: Vec<(StreamId, Arc<Record>)>) {
        if records.is_empty() {
            return;
        }
        if let Some(direct) = self.direct.get() {
            if direct(by_stream(records)) {
                self.lock().overflowed = true;
                self.news.notify_one();
            }
            return;
        }
        let mut handed = self.lock();
        if handed.records.len() + records.len() > HANDED_MAX {
            handed.overflowed = true;
        } else {
            handed.records.extend(records);
        }
        drop(handed);
        self.news.notify_one();
    }

    fn take(&self) -> Handed {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes one service's outbox: the partitions that its process owns.
pub struct Relay {
    messaging: Messaging,
    broker: Arc<dyn Broker>,
    ownership: Ownership,
    marks: Arc<Mutex<PublishedMarks>>,
    /// What was owned when the broker was last asked how far it is.
    epochs: Arc<Epochs>,
}

impl Relay {
    /// A relay for the partitions that `ownership` gives this process.
    #[must_use]
    pub fn new(messaging: Messaging, broker: Arc<dyn Broker>, ownership: Ownership) -> Self {
        let marks = Arc::new(Mutex::new(PublishedMarks::default()));
        if broker.answers_at_once() {
            let (marks, broker) = (Arc::clone(&marks), Arc::clone(&broker));
            let _ = messaging.signal().direct.set(Box::new(move |batches| publish_now(&marks, &*broker, batches)));
        }
        Self { messaging, broker, ownership, marks, epochs: Arc::default() }
    }

    /// Publishes until told to stop. Nothing is lost by stopping: what is left is published at the next start.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let signal = self.messaging.signal();
        self.broker.on_nudge(self.messaging.db().name(), Arc::clone(&signal.news));
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let polled = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.ownership.changed(&self.epochs) => true,
                () = signal.news.notified() => false,
                _ = poll.tick() => true,
            };
            let Handed { records, overflowed } = signal.take();
            // Woken without rows: another process committed them.
            let look = polled || overflowed || records.is_empty();
            if let Err(error) = self.turn(records, polled, look).await {
                tracing::error!(relay = self.messaging.db().name(), error = ?error, "the outbox could not be published; trying again");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(RETRY_INTERVAL) => signal.lock().overflowed = true,
                }
                signal.news.notify_one();
            }
        }
    }

    async fn turn(
        &mut self,
        records: Vec<(StreamId, Arc<Record>)>,
        check_broker: bool,
        look: bool,
    ) -> Result<(), BrokerError> {
        let epochs = self.ownership.epochs();
        let foreign = records.iter().any(|(stream, _)| !epochs.contains_key(&stream.partition));
        if check_broker || epochs != self.epochs {
            self.ask_broker(epochs).await?;
        }
        let look = self.publish(by_stream(records)).await? || look;
        if foreign {
            self.broker.nudge(self.messaging.db().name()).await;
        }
        if look { self.publish_table().await } else { Ok(()) }
    }

    /// Takes the broker's word for how far it is: it may be new to us, have been wiped, or stand behind after a restore.
    async fn ask_broker(&mut self, epochs: Arc<Epochs>) -> Result<(), BrokerError> {
        let streams: Vec<(StreamId, i64)> = heads(self.messaging.db()).await?;
        let owned: Vec<_> = streams.into_iter().filter(|(stream, _)| epochs.contains_key(&stream.partition)).collect();
        let ids: Vec<StreamId> = owned.iter().map(|(stream, _)| stream.clone()).collect();
        let published = self.broker.heads(&ids).await?;
        let lag: i64 = owned.iter().zip(&published).map(|((_, last), head)| (last - head).max(0)).sum();
        metrics::gauge!("tramline_outbox_lag", "source" => self.messaging.db().name()).set(lag as f64);
        for ((stream, last), head) in owned.iter().zip(&published) {
            if head > last {
                tracing::error!(stream = %stream, head, last, "the broker has messages that this outbox never gave out: was the database restored?");
            }
        }
        lock(&self.marks).reset(&epochs, ids.into_iter().zip(published));
        self.epochs = epochs;
        Ok(())
    }

    async fn publish_table(&mut self) -> Result<(), BrokerError> {
        let source = self.messaging.db().name();
        loop {
            let marks = lock(&self.marks).positions();
            if marks.is_empty() {
                return Ok(());
            }
            let limit = i64::try_from(BATCH_ROWS).unwrap_or(i64::MAX);
            let rows: Vec<OutboxRow> = self.messaging.db().all(outbox_after(&marks, limit)).await?;
            let count = rows.len();
            let records = rows.into_iter().map(|row| row.into_record(source)).collect::<Result<Vec<_>, DbError>>()?;
            let look_again = self.publish(by_stream(records)).await?;
            if count < BATCH_ROWS && !look_again {
                return Ok(());
            }
        }
    }

    /// Publishes what continues the streams that this process owns. `true`: the table must be read.
    async fn publish(&self, batches: Vec<Batch>) -> Result<bool, BrokerError> {
        let (publications, look) = lock(&self.marks).select(batches);
        if publications.is_empty() {
            return Ok(look);
        }
        let outcomes = self.broker.publish(&publications).await?;
        Ok(lock(&self.marks).settle(&publications, &outcomes) || look)
    }
}

/// Publishes to a broker that answers at once, in the thread of whoever committed.
fn publish_now(marks: &Mutex<PublishedMarks>, broker: &dyn Broker, batches: Vec<Batch>) -> bool {
    use futures_util::FutureExt as _;
    // Held over the publication: two threads that commit one after the other publish in that order.
    let mut marks = lock(marks);
    let (publications, look) = marks.select(batches);
    if publications.is_empty() {
        return look;
    }
    match broker.publish(&publications).now_or_never() {
        Some(Ok(outcomes)) => marks.settle(&publications, &outcomes) || look,
        _ => true,
    }
}

fn lock(marks: &Mutex<PublishedMarks>) -> std::sync::MutexGuard<'_, PublishedMarks> {
    marks.lock().unwrap_or_else(PoisonError::into_inner)
}

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
