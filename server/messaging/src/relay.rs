//! The polling publisher: carries the outbox to the broker, woken by each commit, with a slow poll as the net.

use crate::{
    Broker, Channel, Published, Record, StreamId,
    outbox::{Messaging, OutboxRow, heads, outbox_after},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tramline_db::DbError;

/// Rows per look into the outbox: bounds memory, and shares one statement between many messages.
const BATCH_ROWS: usize = 512;
/// How long a lost wake-up may delay a message.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The wait after a failure, so that a broken database is not hammered.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Tells the relay which streams have news.
#[derive(Debug, Default)]
pub(crate) struct RelaySignal {
    dirty: Mutex<BTreeSet<(Channel, u16)>>,
    news: Notify,
}

impl RelaySignal {
    pub(crate) fn raise(&self, streams: Vec<(Channel, u16)>) {
        if !streams.is_empty() {
            self.dirty.lock().unwrap_or_else(PoisonError::into_inner).extend(streams);
            self.news.notify_one();
        }
    }

    fn take(&self) -> BTreeSet<(Channel, u16)> {
        std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Publishes one service's outbox.
pub struct Relay {
    source: &'static str,
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
    pub async fn resume(source: &'static str, messaging: Messaging, broker: Arc<dyn Broker>) -> Result<Self, DbError> {
        let published = heads(messaging.db(), source).await?.into_iter().collect();
        Ok(Self { source, messaging, broker, published })
    }

    /// Publishes until told to stop. Nothing is lost by stopping: what is left is published at the next start.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let signal = self.messaging.signal();
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        loop {
            let look_everywhere = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = signal.news.notified() => false,
                _ = poll.tick() => true,
            };
            let dirty = signal.take();
            if let Err(error) = self.publish_news(&dirty, look_everywhere).await {
                tracing::error!(relay = self.source, error = ?error, "the outbox could not be published; trying again");
                tokio::time::sleep(RETRY_INTERVAL).await;
                signal.raise(dirty.into_iter().collect());
            }
        }
    }

    async fn publish_news(&mut self, dirty: &BTreeSet<(Channel, u16)>, look_everywhere: bool) -> Result<(), DbError> {
        if look_everywhere {
            for (stream, _) in heads(self.messaging.db(), self.source).await? {
                self.published.entry(stream).or_insert(0);
            }
        }
        let mut marks: Vec<(StreamId, i64)> = if look_everywhere {
            self.published.iter().map(|(stream, seq)| (stream.clone(), *seq)).collect()
        } else {
            let stream = |(channel, partition): &(Channel, u16)| StreamId {
                source: self.source,
                channel: (*channel).into(),
                partition: *partition,
            };
            dirty.iter().map(stream).map(|id| (id.clone(), self.published.get(&id).copied().unwrap_or(0))).collect()
        };
        while !marks.is_empty() {
            let rows: Vec<OutboxRow> =
                self.messaging.db().all(outbox_after(&marks, i64::try_from(BATCH_ROWS).unwrap_or(i64::MAX))).await?;
            let full = rows.len() == BATCH_ROWS;
            self.publish_rows(rows).await?;
            if !full {
                break;
            }
            for (stream, seq) in &mut marks {
                *seq = self.published.get(stream).copied().unwrap_or(0);
            }
        }
        Ok(())
    }

    async fn publish_rows(&mut self, rows: Vec<OutboxRow>) -> Result<(), DbError> {
        let mut batches: Vec<(StreamId, Vec<Arc<Record>>)> = Vec::new();
        for row in rows {
            let partition = u16::try_from(row.partition_no).map_err(|error| DbError::corrupt("a partition", error))?;
            if !batches.last().is_some_and(|(id, _)| *id.channel == *row.channel && id.partition == partition) {
                let stream = StreamId { source: self.source, channel: row.channel.as_str().into(), partition };
                batches.push((stream, Vec::new()));
            }
            let record = Arc::new(row.into_record()?);
            if let Some((_, records)) = batches.last_mut() {
                records.push(record);
            }
        }
        for (stream, records) in batches {
            metrics::counter!("tramline_messages_published_total", "source" => self.source)
                .increment(records.len() as u64);
            let Some(last) = records.last().map(|record| record.seq) else { continue };
            match self.broker.publish(&stream, records).await? {
                Published::Accepted => self.published.insert(stream, last),
                Published::Gap { head } => {
                    tracing::warn!(stream = %stream, head, "the broker lacks messages; publishing again from its head");
                    self.messaging.signal().news.notify_one();
                    self.published.insert(stream, head)
                }
            };
        }
        Ok(())
    }
}
