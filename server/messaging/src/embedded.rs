//! The broker inside the process: no second log, only a short memory of the newest records and a wake-up.
//!
//! What a consumer needs and the memory has no longer, it reads from the outbox of the publishing service.

use crate::{
    Batch, Broker, BrokerError, Channel, Position, Publication, Published, Record, StreamId, Subscription,
    outbox::outbox_after,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tramline_db::{BoxFuture, Db, DbError};

/// Records kept in memory per stream. Consumers that keep up never miss it; 16 partitions of it stay below a few MiB.
const MEMORY_RECORDS: usize = 512;

/// An in-process [`Broker`]. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct EmbeddedBroker {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    streams: HashMap<StreamId, Stream>,
    outboxes: HashMap<&'static str, Db>,
    listeners: Vec<Listener>,
}

/// Who is to be woken by news of which sources and channels.
type Listener = (Vec<(&'static str, Channel)>, Arc<Notify>);

/// The newest records of a stream, ending at `head`.
#[derive(Debug, Default)]
struct Stream {
    head: i64,
    /// The newest lease that published.
    epoch: i64,
    records: VecDeque<Arc<Record>>,
}

impl Stream {
    /// The records after `position`, or `None` when the memory does not reach back that far.
    fn after(&self, position: i64, limit: usize) -> Option<Vec<Arc<Record>>> {
        let first = self.head + 1 - i64::try_from(self.records.len()).ok()?;
        let skip = usize::try_from(position + 1 - first).ok()?;
        Some(self.records.iter().skip(skip).take(limit).cloned().collect())
    }
}

impl EmbeddedBroker {
    /// A broker that knows no outbox yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the outbox of a service readable. What lies in it already is there for consumers at once.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn attach(&self, db: &Db) -> Result<(), DbError> {
        let heads = crate::outbox::heads(db).await?;
        let mut shared = self.lock();
        shared.outboxes.insert(db.name(), db.clone());
        for (stream, head) in heads {
            shared.streams.entry(stream).or_insert(Stream { head, ..Stream::default() });
        }
        shared.listeners.iter().for_each(|(_, listener)| listener.notify_one());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing that holds the lock can leave it half-changed, so a panic elsewhere is no reason to stop.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn publish(&mut self, Publication { stream: id, epoch, records }: &Publication) -> Published {
        let stream = self.streams.entry(id.clone()).or_default();
        if *epoch < stream.epoch {
            return Published::Fenced { epoch: stream.epoch };
        }
        stream.epoch = *epoch;
        for record in records {
            if record.seq > stream.head + 1 {
                return Published::Gap { head: stream.head };
            }
            if record.seq == stream.head + 1 {
                stream.head = record.seq;
                stream.records.push_back(Arc::clone(record));
                if stream.records.len() > MEMORY_RECORDS {
                    stream.records.pop_front();
                }
            }
        }
        Published::Accepted
    }

    fn wake(&self, publications: &[Publication]) {
        let is_news = |(source, channel): &(&str, Channel)| {
            publications.iter().any(|new| *source == new.stream.source && **channel == *new.stream.channel)
        };
        for (channels, listener) in &self.listeners {
            if channels.iter().any(is_news) {
                listener.notify_one();
            }
        }
    }
}

impl Broker for EmbeddedBroker {
    fn publish<'a>(&'a self, publications: &'a [Publication]) -> BoxFuture<'a, Result<Vec<Published>, BrokerError>> {
        let mut shared = self.lock();
        let outcomes = publications.iter().map(|publication| shared.publish(publication)).collect();
        shared.wake(publications);
        Box::pin(std::future::ready(Ok(outcomes)))
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn heads<'a>(&'a self, streams: &'a [StreamId]) -> BoxFuture<'a, Result<Vec<i64>, BrokerError>> {
        let shared = self.lock();
        let heads = streams.iter().map(|id| shared.streams.get(id).map_or(0, |stream| stream.head)).collect();
        Box::pin(std::future::ready(Ok(heads)))
    }

    fn subscribe(&self, _: &'static str, channels: &[(&'static str, Channel)]) -> Box<dyn Subscription> {
        let news = Arc::new(Notify::new());
        self.lock().listeners.push((channels.to_vec(), Arc::clone(&news)));
        Box::new(Ear { broker: self.clone(), news })
    }

    /// Nothing to do: the memory is bounded by count, and the outbox remembers the rest.
    fn committed<'a>(&'a self, _: &'static str, _: &'a [Position]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Nothing to do: there is no other process.
    fn nudge<'a>(&'a self, _: &'static str) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    fn on_nudge(&self, _: &'static str, _: Arc<Notify>) {}
}

#[derive(Debug)]
struct Ear {
    broker: EmbeddedBroker,
    news: Arc<Notify>,
}

impl Ear {
    /// What memory has, and the positions for which the outbox must be asked.
    fn look(&self, positions: &[Position], limit: usize) -> (Vec<Batch>, Vec<Position>) {
        let shared = self.broker.lock();
        let (mut found, mut forgotten, mut room) = (Vec::new(), Vec::new(), limit);
        for (id, position) in positions {
            let Some(stream) = shared.streams.get(id).filter(|stream| stream.head > *position) else { continue };
            match stream.after(*position, room) {
                Some(records) if records.is_empty() => {}
                Some(records) => {
                    room -= records.len();
                    found.push((id.clone(), records));
                }
                None => forgotten.push((id.clone(), *position)),
            }
        }
        (found, forgotten)
    }

    async fn read_back(&self, forgotten: &[Position], limit: usize) -> Result<Vec<Batch>, DbError> {
        let mut found: Vec<Batch> = Vec::new();
        let sources: Vec<_> = self.broker.lock().outboxes.iter().map(|(source, db)| (*source, db.clone())).collect();
        for (source, db) in sources {
            let marks: Vec<_> = forgotten.iter().filter(|(id, _)| id.source == source).cloned().collect();
            if marks.is_empty() {
                continue;
            }
            for row in outbox_after(&db, &marks, limit).await?.into_iter().take(limit) {
                let (stream, record) = row.into_record(source)?;
                match found.last_mut() {
                    Some((id, records)) if *id == stream => records.push(record),
                    _ => found.push((stream, vec![record])),
                }
            }
        }
        Ok(found)
    }
}

impl Subscription for Ear {
    fn next<'a>(
        &'a mut self,
        positions: &'a [Position],
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Batch>, BrokerError>> {
        Box::pin(async move {
            loop {
                let (mut found, forgotten) = self.look(positions, limit);
                if !forgotten.is_empty() {
                    found.extend(self.read_back(&forgotten, limit).await?);
                }
                if !found.is_empty() {
                    return Ok(found);
                }
                // A permit is kept when news came while we looked.
                self.news.notified().await;
            }
        })
    }
}
