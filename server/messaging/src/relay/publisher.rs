//! What both relays do with rows: publish what continues the streams that they own, and fall back on the table.

use super::{RelaySignal, by_stream, published::PublishedMarks};
use crate::{
    Batch, Broker, BrokerError, Epochs, Record, StreamId,
    outbox::{Messaging, heads, outbox_after},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tramline_db::DbError;

/// Rows per look into the outbox: bounds memory, and shares one statement between many messages.
const BATCH_ROWS: usize = 512;

/// One service's outbox and the broker that it is carried to.
pub(crate) struct Publisher {
    messaging: Messaging,
    broker: Arc<dyn Broker>,
    marks: Arc<Mutex<PublishedMarks>>,
}

impl Publisher {
    pub(crate) fn new(messaging: Messaging, broker: Arc<dyn Broker>) -> Self {
        Self { messaging, broker, marks: Arc::default() }
    }

    pub(crate) const fn source(&self) -> &'static str {
        self.messaging.db().name()
    }

    /// Has whoever commits publish too, if the broker answers at once: that spares a hand-over.
    pub(crate) fn publish_directly(&self, signal: &RelaySignal) {
        if self.broker.answers_at_once() {
            let (marks, broker) = (Arc::clone(&self.marks), Arc::clone(&self.broker));
            signal.publish_directly(Arc::new(move |batches| publish_now(&marks, &*broker, batches)));
        }
    }

    /// Takes the broker's word for how far it is: it may be new to us, have been wiped, or stand behind after a restore.
    pub(crate) async fn ask_broker(&self, epochs: &Arc<Epochs>) -> Result<(), BrokerError> {
        let is_owned = |(stream, _): &(StreamId, i64)| epochs.contains_key(&stream.partition);
        let ids: Vec<StreamId> =
            heads(self.messaging.db()).await?.into_iter().filter(is_owned).map(|(stream, _)| stream).collect();
        let published = self.broker.heads(&ids).await?;
        // The outbox after the broker: what was published meanwhile was committed before, so it never seems to lack it.
        let known: HashMap<StreamId, i64> = heads(self.messaging.db()).await?.into_iter().collect();
        let owned: Vec<(StreamId, i64)> =
            ids.into_iter().map(|stream| (stream.clone(), known.get(&stream).copied().unwrap_or(0))).collect();
        let lag: i64 = owned.iter().zip(&published).map(|((_, last), head)| (last - head).max(0)).sum();
        metrics::gauge!("tramline_outbox_lag", "source" => self.source()).set(lag as f64);
        for ((stream, last), head) in owned.iter().zip(&published) {
            if head > last {
                tracing::error!(stream = %stream, head, last, "the broker has messages that this outbox never gave out: was the database restored?");
            }
        }
        let mut marks = lock(&self.marks);
        // A broker that knows records of another outbox tells by the last one that both have: it is published again, and the
        // broker compares the ids.
        let is_new = marks.epochs() != epochs;
        let marked = owned.into_iter().zip(published).map(|((stream, last), head)| {
            let doubtful = is_new || head > last;
            (stream, head.min(last) - i64::from(doubtful && head.min(last) > 0))
        });
        marks.reset(epochs, marked);
        Ok(())
    }

    /// Publishes what the table has and the broker lacks.
    pub(crate) async fn publish_table(&self) -> Result<(), BrokerError> {
        let source = self.source();
        loop {
            let marks = lock(&self.marks).positions();
            if marks.is_empty() {
                return Ok(());
            }
            let rows = outbox_after(self.messaging.db(), &marks, BATCH_ROWS).await?;
            let count = rows.len();
            let records = rows.into_iter().map(|row| row.into_record(source)).collect::<Result<Vec<_>, DbError>>()?;
            let look_again = self.publish(by_stream(records)).await?;
            if count < BATCH_ROWS && !look_again {
                return Ok(());
            }
        }
    }

    /// Publishes what continues the streams that this process owns. `true`: the table must be read.
    pub(crate) async fn publish(&self, batches: Vec<Batch>) -> Result<bool, BrokerError> {
        let (publications, look) = lock(&self.marks).select(batches);
        if publications.is_empty() {
            return Ok(look);
        }
        let outcomes = self.broker.publish(&publications).await?;
        Ok(lock(&self.marks).settle(&publications, &outcomes) || look)
    }

    /// Whether the broker is known to have all of these.
    pub(crate) fn has_published(&self, records: &[(StreamId, Arc<Record>)]) -> bool {
        let marks = lock(&self.marks);
        records.iter().all(|(stream, record)| marks.has(stream, record.seq))
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
