//! The consumer: effects and offset move in one transaction, so each message takes effect exactly once.
//!
//! A batch of messages shares a transaction. When it fails, its messages are tried one by one; one that keeps failing
//! is parked together with the later ones of its key, and the other keys go on.

use crate::{
    Batch, Broker, Channel, Messaging, PARTITIONS, Record, StreamId, Subscription, UnitOfWork,
    parking::{park, parked_keys},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tramline_db::{BoxFuture, DbError, Value, sql, values};
use uuid::Uuid;

/// Messages per transaction: enough to share the commit, few enough that a failure repeats little.
const BATCH_MESSAGES: usize = 256;
/// Tries before a message is parked. With the backoff below that is about ten seconds.
const ATTEMPTS_MAX: u32 = 8;
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// It may work later: tried again, with growing waits, then parked.
    #[error("{0}")]
    Transient(String),
    /// It can never work (an unknown kind, a body that does not read): parked at once.
    #[error("{0}")]
    Permanent(String),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a consumer group does with messages. Must bear repetition of a message that was re-sent with a new number.
pub trait Handler: Send + Sync + 'static {
    /// What is left to do once the transaction has committed.
    type Effect: Send + 'static;

    /// Applies a batch in the unit of work: each stream's messages in order. An error undoes the whole batch.
    ///
    /// # Errors
    /// Says whether to try again.
    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<Self::Effect, HandlerError>>;

    /// Called after the commit: tell others in the process. A crash may come between, so never rely on it for state.
    fn committed(&self, effect: Self::Effect);
}

/// Reads channels for a group and lets a [`Handler`] act on what they carry.
pub struct Consumer<H> {
    group: &'static str,
    messaging: Messaging,
    handler: Arc<H>,
    subscription: Box<dyn Subscription>,
    positions: HashMap<StreamId, i64>,
    parked: HashSet<Uuid>,
    /// Streams whose next message failed: how often, and when to try again.
    failing: HashMap<StreamId, (u32, Instant)>,
}

impl<H: Handler> Consumer<H> {
    /// Goes on where the group's offsets in its own database stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(
        group: &'static str,
        messaging: Messaging,
        broker: &dyn Broker,
        channels: &[(&'static str, Channel)],
        handler: Arc<H>,
    ) -> Result<Self, DbError> {
        // Listen first: what is published from here on is noticed.
        let subscription = broker.subscribe(channels);
        let streams: Vec<StreamId> = channels
            .iter()
            .flat_map(|(source, channel)| {
                (0..PARTITIONS).map(|partition| StreamId { source, channel: (*channel).into(), partition })
            })
            .collect();
        let positions = load_offsets(&messaging, group, streams).await?;
        let parked = parked_keys(messaging.db(), group).await?.into_iter().collect();
        Ok(Self { group, messaging, handler, subscription, positions, parked, failing: HashMap::new() })
    }

    /// Consumes until told to stop; a transaction in progress is finished first.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let positions: Vec<_> = self
                .positions
                .iter()
                .filter(|(stream, _)| !self.failing.contains_key(*stream))
                .map(|(stream, seq)| (stream.clone(), *seq))
                .collect();
            let retry_at = self.failing.values().map(|(_, at)| *at).min();
            let news = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = until(retry_at) => None,
                news = self.subscription.next(&positions, BATCH_MESSAGES) => Some(news),
            };
            match news {
                Some(Ok(batches)) => self.take(batches).await,
                Some(Err(error)) => {
                    tracing::error!(group = self.group, error = ?error, "messages could not be read; trying again");
                    tokio::time::sleep(BACKOFF_FIRST).await;
                }
                None => self.retry().await,
            }
        }
    }

    /// Handles what came: all at once, or message by message when that fails or some keys are parked.
    async fn take(&mut self, batches: Vec<Batch>) {
        let clean = self.parked.is_empty()
            || !batches.iter().flat_map(|(_, records)| records).any(|record| self.parked.contains(&record.key));
        if clean {
            match self.attempt(&batches).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(group = self.group, error = ?error, "a batch failed; going message by message")
                }
            }
        }
        for (stream, records) in batches {
            for record in records {
                if !self.take_one(&stream, record, 1).await {
                    break;
                }
            }
        }
    }

    /// Tries the next message of each stream whose wait is over.
    async fn retry(&mut self) {
        let present = now();
        let due: Vec<_> =
            self.failing.iter().filter(|(_, (_, at))| *at <= present).map(|(id, (n, _))| (id.clone(), *n)).collect();
        for (stream, attempts) in due {
            let position = [(stream.clone(), self.positions.get(&stream).copied().unwrap_or(0))];
            match self.subscription.next(&position, 1).await {
                Ok(batches) => {
                    if let Some(record) = batches.into_iter().flat_map(|(_, records)| records).next()
                        && self.take_one(&stream, record, attempts + 1).await
                    {
                        self.failing.remove(&stream);
                    }
                }
                Err(error) => {
                    tracing::error!(group = self.group, error = ?error, "messages could not be read; trying again");
                    self.failing.insert(stream, (attempts, now() + BACKOFF_MAX));
                }
            }
        }
    }

    /// Handles or parks one message. `false` means that the stream must wait.
    async fn take_one(&mut self, stream: &StreamId, record: Arc<Record>, attempt: u32) -> bool {
        let parked = if self.parked.contains(&record.key) {
            self.park(stream, &record, "an earlier message of this key is parked", 0).await
        } else {
            match self.attempt(&[(stream.clone(), vec![Arc::clone(&record)])]).await {
                Ok(()) => return true,
                Err(HandlerError::Permanent(reason)) => self.park(stream, &record, &reason, attempt).await,
                Err(HandlerError::Transient(reason)) if attempt >= ATTEMPTS_MAX => {
                    self.park(stream, &record, &reason, attempt).await
                }
                // What is stored wrongly stays so: waiting would hold up every other key of the stream.
                Err(HandlerError::Db(error @ DbError::Corrupt { .. })) => {
                    self.park(stream, &record, &error.to_string(), attempt).await
                }
                // The database may come back; the message is not at fault, so it is never parked for this.
                Err(error) => Err(error),
            }
        };
        match parked {
            Ok(()) => true,
            Err(error) => {
                let wait = BACKOFF_FIRST.saturating_mul(1 << attempt.min(16)).min(BACKOFF_MAX);
                tracing::warn!(group = self.group, stream = %stream, seq = record.seq, attempt, error = ?error, "a message failed; waiting");
                self.failing.insert(stream.clone(), (attempt, now() + wait));
                self.reload().await;
                false
            }
        }
    }

    /// One transaction: the effects of the batch and the move of every offset in it.
    async fn attempt(&mut self, batches: &[Batch]) -> Result<(), HandlerError> {
        let batch: Vec<Arc<Record>> = batches.iter().flat_map(|(_, records)| records).cloned().collect();
        let moves = self.moves(batches);
        let traceparent = batch.first().and_then(|record| record.headers.traceparent.clone());
        let (handler, group) = (Arc::clone(&self.handler), self.group);
        let (to_move, streams, count) = (move_rows(&moves), moves.len(), batch.len());
        let effect = self
            .messaging
            .transact::<_, HandlerError, _>(traceparent, move |work| {
                Box::pin(async move {
                    let effect = handler.handle(work, &batch).await?;
                    move_offsets(work, group, to_move, streams).await?;
                    Ok(effect)
                })
            })
            .await?;
        self.advance(moves);
        metrics::counter!("tramline_messages_handled_total", "group" => self.group).increment(count as u64);
        self.handler.committed(effect);
        Ok(())
    }

    async fn park(
        &mut self,
        stream: &StreamId,
        record: &Arc<Record>,
        reason: &str,
        attempts: u32,
    ) -> Result<(), HandlerError> {
        tracing::error!(group = self.group, stream = %stream, seq = record.seq, message.id = %record.id, reason, "a message is parked");
        let moves = self.moves(&[(stream.clone(), vec![Arc::clone(record)])]);
        let (to_move, group) = (move_rows(&moves), self.group);
        let (stream, parked, reason) = (stream.clone(), Arc::clone(record), reason.to_owned());
        self.messaging
            .transact::<_, HandlerError, _>(None, move |work| {
                Box::pin(async move {
                    work.tx.execute(park(group, &stream, &parked, &reason, attempts, work.now)).await?;
                    move_offsets(work, group, to_move, 1).await
                })
            })
            .await?;
        self.parked.insert(record.key);
        self.advance(moves);
        metrics::counter!("tramline_messages_parked_total", "group" => self.group).increment(1);
        Ok(())
    }

    /// Reads the offsets again: a commit whose answer was lost may have moved them.
    async fn reload(&mut self) {
        let streams = self.positions.keys().cloned().collect();
        match load_offsets(&self.messaging, self.group, streams).await {
            Ok(positions) => self.positions = positions,
            Err(error) => tracing::error!(group = self.group, error = ?error, "the offsets could not be read"),
        }
    }

    /// From where to where each offset goes.
    fn moves(&self, batches: &[Batch]) -> Vec<(StreamId, i64, i64)> {
        batches
            .iter()
            .filter_map(|(stream, records)| Some((stream, records.first()?.seq - 1, records.last()?.seq)))
            .map(|(stream, from, to)| (stream.clone(), from, to))
            .collect()
    }

    fn advance(&mut self, moves: Vec<(StreamId, i64, i64)>) {
        for (stream, _, to) in moves {
            self.positions.insert(stream, to);
        }
    }
}

/// The monotonic clock: retries wait in this process's own time, whatever the wall clock does.
#[expect(clippy::disallowed_methods, reason = "an edge: the waits between retries are measured here alone")]
fn now() -> Instant {
    Instant::now()
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn move_rows(moves: &[(StreamId, i64, i64)]) -> Vec<Vec<Value>> {
    let row = |(stream, from, to): &(StreamId, i64, i64)| {
        values![stream.source, &*stream.channel, stream.partition, *from, *to]
    };
    moves.iter().map(row).collect()
}

/// Compare-and-set of every offset: one that stands elsewhere means that somebody else owns the stream now, or that a
/// message is missing or repeated. Then nothing of the batch may stand.
async fn move_offsets(
    work: &mut UnitOfWork<'_>,
    group: &str,
    moves: Vec<Vec<Value>>,
    count: usize,
) -> Result<(), HandlerError> {
    let moved = work.tx.execute(
        sql("update consumer_offset set last_seq = move.until \
             from rows($1: source text, channel text, partition_no bigint, since bigint, until bigint) as move \
             where consumer_group = $2 and consumer_offset.source = move.source \
             and consumer_offset.channel = move.channel and consumer_offset.partition_no = move.partition_no \
             and last_seq = move.since")
        .rows(moves)
        .bind(group),
    );
    let moved = moved.await?;
    if moved == count as u64 { Ok(()) } else { Err(HandlerError::Transient("the offset stands elsewhere".to_owned())) }
}

/// Where the group stands in each stream; streams that it never read start at 0.
async fn load_offsets(
    messaging: &Messaging,
    group: &'static str,
    streams: Vec<StreamId>,
) -> Result<HashMap<StreamId, i64>, DbError> {
    let wanted: Vec<_> = streams.iter().map(|id| values![id.source, &*id.channel, id.partition]).collect();
    let rows: Vec<(String, String, i64, i64)> =
        messaging
            .db()
            .write::<_, DbError, _>(move |tx| {
                Box::pin(async move {
                    tx.execute(
                        sql("insert into consumer_offset (consumer_group, source, channel, partition_no, last_seq) \
                         select $2, new.source, new.channel, new.partition_no, 0 \
                         from rows($1: source text, channel text, partition_no bigint) as new where true \
                         on conflict (consumer_group, source, channel, partition_no) do nothing")
                        .rows(wanted)
                        .bind(group),
                    )
                    .await?;
                    tx.all(
                    sql("select source, channel, partition_no, last_seq from consumer_offset where consumer_group = $1")
                        .bind(group),
                )
                .await
                })
            })
            .await?;
    let offset_of = |id: &StreamId| {
        rows.iter()
            .find(|row| row.0 == id.source && *row.1 == *id.channel && row.2 == i64::from(id.partition))
            .map_or(0, |row| row.3)
    };
    Ok(streams.into_iter().map(|id| (id.clone(), offset_of(&id))).collect())
}
