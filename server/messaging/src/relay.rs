//! The polling publisher: carries the outbox to the broker, handed each commit's rows, with the table as the net.
//!
//! What a commit wrote is handed over in memory, which spares a read. The sequence numbers tell whether that is all:
//! when one is missing, when too much came at once, after a failure and every second, the relay reads the table.

use crate::{
    Batch, Broker, BrokerError, Publication, Published, Record, StreamId,
    outbox::{Messaging, OutboxRow, heads, outbox_after},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
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
#[derive(Debug, Default)]
pub(crate) struct RelaySignal {
    handed: Mutex<Handed>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Handed {
    records: Vec<(StreamId, Arc<Record>)>,
    /// Some rows were not handed over: the table must be read.
    overflowed: bool,
}

impl RelaySignal {
    pub(crate) fn raise(&self, records: Vec<(StreamId, Arc<Record>)>) {
        if records.is_empty() {
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

/// Publishes one service's outbox.
pub struct Relay {
    messaging: Messaging,
    broker: Arc<dyn Broker>,
    /// The last number published per stream.
    published: HashMap<StreamId, i64>,
}

impl Relay {
    /// A relay whose broker has everything that the outbox holds now (the embedded broker reads older rows there).
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn resume(messaging: Messaging, broker: Arc<dyn Broker>) -> Result<Self, DbError> {
        let published = heads(messaging.db()).await?.into_iter().collect();
        Ok(Self { messaging, broker, published })
    }

    /// Publishes until told to stop. Nothing is lost by stopping: what is left is published at the next start.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let signal = self.messaging.signal();
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        let mut failed = false;
        loop {
            let polled = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = signal.news.notified() => false,
                _ = poll.tick() => true,
            };
            let Handed { records, overflowed } = signal.take();
            let outcome = self.publish(records, polled || overflowed || failed).await;
            failed = outcome.is_err();
            if let Err(error) = outcome {
                tracing::error!(relay = self.messaging.db().name(), error = ?error, "the outbox could not be published; trying again");
                tokio::time::sleep(RETRY_INTERVAL).await;
                signal.news.notify_one();
            }
        }
    }

    /// Publishes what was handed over; when `look` says so or a number is missing, what is in the table besides.
    async fn publish(&mut self, handed: Vec<(StreamId, Arc<Record>)>, mut look: bool) -> Result<(), BrokerError> {
        for (stream, records) in by_stream(handed) {
            look |= !self.publish_batch(stream, records).await?;
        }
        if look { self.publish_table().await } else { Ok(()) }
    }

    async fn publish_table(&mut self) -> Result<(), BrokerError> {
        for (stream, _) in heads(self.messaging.db()).await? {
            self.published.entry(stream).or_insert(0);
        }
        loop {
            let marks: Vec<_> = self.published.iter().map(|(stream, seq)| (stream.clone(), *seq)).collect();
            let limit = i64::try_from(BATCH_ROWS).unwrap_or(i64::MAX);
            let rows: Vec<OutboxRow> = self.messaging.db().all(outbox_after(&marks, limit)).await?;
            let count = rows.len();
            let source = self.messaging.db().name();
            let records = rows.into_iter().map(|row| row.into_record(source)).collect::<Result<Vec<_>, DbError>>()?;
            for (stream, records) in by_stream(records) {
                self.publish_batch(stream, records).await?;
            }
            if count < BATCH_ROWS {
                return Ok(());
            }
        }
    }

    /// Publishes rows of a stream. `false` means that rows before them are missing.
    async fn publish_batch(&mut self, stream: StreamId, mut records: Vec<Arc<Record>>) -> Result<bool, BrokerError> {
        let published = self.published.get(&stream).copied().unwrap_or(0);
        records.retain(|record| record.seq > published);
        let (Some(first), Some(last)) =
            (records.first().map(|record| record.seq), records.last().map(|record| record.seq))
        else {
            return Ok(true);
        };
        let count = records.len() as u64;
        if first != published + 1 || last - first + 1 != i64::try_from(count).unwrap_or(i64::MAX) {
            return Ok(false);
        }
        let publication = Publication { stream: stream.clone(), epoch: 0, records };
        match self.broker.publish(&[publication]).await?.pop().unwrap_or(Published::Accepted) {
            Published::Accepted => {
                metrics::counter!("tramline_messages_published_total", "source" => stream.source).increment(count);
                self.published.insert(stream, last);
                Ok(true)
            }
            Published::Fenced { epoch } => {
                tracing::warn!(stream = %stream, epoch, "another relay publishes this stream");
                Ok(true)
            }
            Published::Gap { head } => {
                tracing::warn!(stream = %stream, head, "the broker lacks messages; publishing again from its head");
                self.published.insert(stream, head);
                Ok(false)
            }
        }
    }
}

/// Groups rows by stream, keeping the order within each.
fn by_stream(records: Vec<(StreamId, Arc<Record>)>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (stream, record) in records {
        match batches.iter_mut().find(|(id, _)| *id == stream) {
            Some((_, batch)) => batch.push(record),
            None => batches.push((stream, vec![record])),
        }
    }
    batches
}
