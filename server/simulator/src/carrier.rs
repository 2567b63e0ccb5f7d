//! The simulated broker: it keeps each stream in sequence, compares epochs, and loses things.

use crate::{Flaw, stage::Shared};
use futures_util::future;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tramline_db::BoxFuture;
use tramline_messaging::{
    Broker, BrokerError, Channel, Position, Publication, Published, Record, StreamId, Subscription,
};
use uuid::Uuid;

/// A publication's answer gets lost once in so many.
const ANSWERS_PER_LOSS: u32 = 20;

/// A [`Broker`] under the simulation's rule.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    shared: Arc<Shared>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    streams: BTreeMap<StreamId, Stream>,
    /// Which record ever stood where, to tell an altered history.
    history: HashMap<(StreamId, i64), Uuid>,
    /// The same from the other side.
    places: HashMap<(Uuid, i64), StreamId>,
    unreliable: bool,
    wrong: Vec<String>,
    seen: Vec<&'static str>,
}

#[derive(Debug, Default)]
struct Stream {
    epoch: i64,
    /// The record with number 1 comes first.
    records: Vec<Arc<Record>>,
}

impl Stream {
    fn head(&self) -> i64 {
        i64::try_from(self.records.len()).unwrap_or(i64::MAX)
    }
}

impl Carrier {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, inner: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on answers may get lost, or no longer.
    pub(crate) fn set_unreliable(&self, unreliable: bool) {
        self.lock().unreliable = unreliable;
    }

    /// Up to `limit` records after a place in a stream.
    pub(crate) fn after(&self, stream: &StreamId, seq: i64, limit: usize) -> Vec<Arc<Record>> {
        let inner = self.lock();
        let records = inner.streams.get(stream).map_or(&[][..], |stream| &stream.records);
        records.iter().skip(usize::try_from(seq).unwrap_or(0)).take(limit).cloned().collect()
    }

    /// The streams that have something, with their heads.
    pub(crate) fn streams(&self) -> Vec<Position> {
        let inner = self.lock();
        inner.streams.iter().map(|(id, stream)| (id.clone(), stream.head())).filter(|(_, head)| *head > 0).collect()
    }

    /// The stream in which a message of that id and number was ever published.
    pub(crate) fn place_of(&self, id: Uuid, seq: i64) -> Option<StreamId> {
        self.lock().places.get(&(id, seq)).cloned()
    }

    /// Forgets what comes after a number.
    pub(crate) fn lose_after(&self, stream: &StreamId, seq: i64) {
        if let Some(stream) = self.lock().streams.get_mut(stream) {
            stream.records.truncate(usize::try_from(seq).unwrap_or(0));
        }
    }

    /// Forgets everything, epochs too, as a server that was wiped.
    pub(crate) fn lose_all(&self) {
        self.lock().streams.clear();
    }

    /// What was published and should not have been.
    pub(crate) fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().wrong)
    }

    /// The rare states since this was last asked.
    pub(crate) fn take_seen(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock().seen)
    }
}

impl Inner {
    fn publish(&mut self, publication: &Publication, compares_epochs: bool) -> Published {
        let id = &publication.stream;
        let stream = self.streams.entry(id.clone()).or_default();
        if publication.epoch < stream.epoch {
            if compares_epochs {
                self.seen.push("a relay that woke too late was refused");
                return Published::Fenced { epoch: stream.epoch };
            }
            self.wrong.push(format!("stream {id} took records from a relay of epoch {}", publication.epoch));
        }
        stream.epoch = stream.epoch.max(publication.epoch);
        for record in &publication.records {
            let head = stream.head();
            if record.seq > head + 1 {
                self.seen.push("a relay went back after a gap");
                return Published::Gap { head };
            }
            if record.seq == head + 1 {
                stream.records.push(Arc::clone(record));
                self.places.insert((record.id, record.seq), id.clone());
            }
            let known = self.history.entry((id.clone(), record.seq)).or_insert(record.id);
            if *known != record.id {
                self.wrong.push(format!("stream {id} has two messages numbered {}", record.seq));
            }
        }
        Published::Accepted
    }
}

impl Broker for Carrier {
    fn publish<'a>(&'a self, publications: &'a [Publication]) -> BoxFuture<'a, Result<Vec<Published>, BrokerError>> {
        let mut inner = self.lock();
        let compares_epochs = !self.shared.has(Flaw::BrokerIgnoresEpochs);
        let unanswered = inner.unreliable && self.shared.chance().once_in(ANSWERS_PER_LOSS);
        let outcomes = publications.iter().map(|one| inner.publish(one, compares_epochs)).collect();
        if unanswered {
            inner.seen.push("records were taken and the answer got lost");
            return Box::pin(future::ready(Err(BrokerError::Unreachable("the answer got lost".to_owned()))));
        }
        Box::pin(future::ready(Ok(outcomes)))
    }

    fn heads<'a>(&'a self, streams: &'a [StreamId]) -> BoxFuture<'a, Result<Vec<i64>, BrokerError>> {
        let inner = self.lock();
        let heads = streams.iter().map(|id| inner.streams.get(id).map_or(0, Stream::head)).collect();
        Box::pin(future::ready(Ok(heads)))
    }

    /// The simulation reads for its consumers itself.
    fn subscribe(&self, _: &'static str, _: &[(&'static str, Channel)]) -> Box<dyn Subscription> {
        Box::new(Deaf)
    }

    fn committed<'a>(&'a self, _: &'static str, _: &'a [Position]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(future::ready(Ok(())))
    }

    fn nudge<'a>(&'a self, _: &'static str) -> BoxFuture<'a, ()> {
        Box::pin(future::ready(()))
    }

    fn on_nudge(&self, _: &'static str, _: Arc<Notify>) {}
}

struct Deaf;

impl Subscription for Deaf {
    fn next<'a>(
        &'a mut self,
        _: &'a [Position],
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<tramline_messaging::Batch>, BrokerError>> {
        Box::pin(future::pending())
    }
}
