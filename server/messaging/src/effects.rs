//! Where a consumer group's effects lie together with its offsets: what makes an effect happen exactly once.

use crate::{
    Handler, HandlerError, Messaging, Record, StreamId, UnitOfWork,
    parking::{self, parked_keys},
};
use std::sync::Arc;
use tramline_db::{BoxFuture, Value, sql, values};
use uuid::Uuid;

/// A stretch of one stream that a batch covers, and the lease under which it is handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The stream.
    pub stream: StreamId,
    /// The offset before: the last number that was done with.
    pub from: i64,
    /// The offset after.
    pub to: i64,
    /// The fencing token of the stream's partition.
    pub epoch: i64,
}

/// A message that cannot be handled, for the parking lot.
#[derive(Clone, Debug)]
pub struct Unhandled {
    /// The message.
    pub record: Arc<Record>,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// Keeps a group's effects and its offsets in one place, and changes both together or not at all.
///
/// A group in a database is [`Transactional`]. A store that is no SQL database implements this itself.
pub trait Effects: Send + Sync + 'static {
    /// What is left to do once the effects stand.
    type Effect: Send + 'static;

    /// Where the group stands in each stream, 0 for one that it never read. From now on nobody with an older epoch can move
    /// the offset of a stream.
    ///
    /// # Errors
    /// When the store fails.
    fn claim<'a>(&'a self, streams: &'a [(StreamId, i64)])
    -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>>;

    /// Applies a batch and moves every offset in it, if each stands where its move begins and no newer owner has been
    /// there. Otherwise nothing of the batch may stand.
    ///
    /// # Errors
    /// Says whether to try again.
    fn apply<'a>(
        &'a self,
        moves: &'a [Move],
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<Self::Effect, HandlerError>>;

    /// Puts a message into the parking lot and moves the offset past it.
    ///
    /// # Errors
    /// When the store fails or the offset stands elsewhere.
    fn park<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>>;

    /// Puts a message behind parked ones of its key and moves the offset past it. `false`: none of its key is parked any more,
    /// and nothing was done, so it may be handled. A group whose messages nobody mends need not look.
    ///
    /// # Errors
    /// When the store fails or the offset stands elsewhere.
    fn park_behind<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<bool, HandlerError>> {
        Box::pin(async move { self.park(step, message).await.map(|()| true) })
    }

    /// Whether the store may lose what it was told while this process lives, as one in memory does, or a database whose server
    /// answers before a commit is on disk: then it is asked now and then where it stands.
    fn may_forget(&self) -> bool {
        false
    }

    /// The keys whose messages are parked.
    ///
    /// # Errors
    /// When the store fails.
    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>>;

    /// Called after the effects stand: tell others in the process. A crash may come between, so never rely on it for state.
    fn committed(&self, effect: Self::Effect);
}

/// A group whose effects lie in a database, in the transaction that moves its offsets.
pub struct Transactional<H> {
    group: &'static str,
    messaging: Messaging,
    handler: Arc<H>,
}

impl<H: Handler> Transactional<H> {
    /// The group's effects are what `handler` does in a unit of work of `messaging`.
    #[must_use]
    pub const fn new(group: &'static str, messaging: Messaging, handler: Arc<H>) -> Self {
        Self { group, messaging, handler }
    }

    /// As [`Effects::apply`], with effects that are not made of messages: what somebody else has made of them already.
    ///
    /// # Errors
    /// Says whether to try again.
    pub async fn apply_with<T, F>(
        &self,
        traceparent: Option<String>,
        moves: &[Move],
        effect: F,
    ) -> Result<T, HandlerError>
    where
        T: Send + 'static,
        F: for<'a, 't> FnOnce(&'a mut UnitOfWork<'t>) -> BoxFuture<'a, Result<T, HandlerError>> + Send + 'static,
    {
        let (rows, count) = (move_rows(self.group, moves), moves.len());
        let applied = self.messaging.transact::<_, HandlerError, _>(traceparent, move |work| {
            Box::pin(async move {
                let effect = effect(work).await?;
                if count > 0 {
                    move_offsets(work, rows, count).await?;
                }
                Ok(effect)
            })
        });
        applied.await
    }

    pub(crate) const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    pub(crate) const fn handler(&self) -> &Arc<H> {
        &self.handler
    }
}

impl<H: Handler> Effects for Transactional<H> {
    type Effect = H::Effect;

    fn claim<'a>(
        &'a self,
        streams: &'a [(StreamId, i64)],
    ) -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>> {
        let rows: Vec<_> = streams
            .iter()
            .map(|(id, epoch)| values![self.group, id.source, &*id.channel, id.partition, *epoch])
            .collect();
        let claimed = self.messaging.db().write::<Vec<(String, String, i64, i64)>, HandlerError, _>(move |tx| {
            Box::pin(async move {
                let mine = tx.all(
                    sql("select o.source, o.channel, o.partition_no, o.last_seq from consumer_offset as o, \
                         rows($1: consumer_group text, source text, channel text, partition_no bigint, epoch bigint) as new \
                         where o.consumer_group = new.consumer_group and o.source = new.source and o.channel = new.channel \
                         and o.partition_no = new.partition_no and o.epoch = new.epoch")
                    .rows(rows.clone()),
                );
                let mine: Vec<_> = mine.await?;
                // Whoever only asks where it stands writes nothing.
                if mine.len() == rows.len() {
                    return Ok(mine);
                }
                let claimed = tx.all(
                    sql("insert into consumer_offset (consumer_group, source, channel, partition_no, last_seq, epoch) \
                         select new.consumer_group, new.source, new.channel, new.partition_no, 0, new.epoch \
                         from rows($1: consumer_group text, source text, channel text, partition_no bigint, epoch bigint) \
                         as new where true \
                         on conflict (consumer_group, source, channel, partition_no) do update set epoch = excluded.epoch \
                         where consumer_offset.epoch <= excluded.epoch \
                         returning source, channel, partition_no, last_seq")
                    .rows(rows),
                );
                Ok(claimed.await?)
            })
        });
        Box::pin(async move {
            let rows = claimed.await?;
            let known = |id: &StreamId| {
                let row = rows
                    .iter()
                    .find(|row| row.0 == id.source && *row.1 == *id.channel && row.2 == i64::from(id.partition));
                row.map(|row| (id.clone(), row.3))
            };
            Ok(streams.iter().filter_map(|(id, _)| known(id)).collect())
        })
    }

    fn apply<'a>(
        &'a self,
        moves: &'a [Move],
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<H::Effect, HandlerError>> {
        let traceparent = batch.first().and_then(|record| record.headers.traceparent.clone());
        let (handler, batch) = (Arc::clone(&self.handler), batch.to_vec());
        Box::pin(
            self.apply_with(traceparent, moves, move |work| {
                Box::pin(async move { handler.handle(work, &batch).await })
            }),
        )
    }

    fn park<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>> {
        let (rows, group) = (move_rows(self.group, std::slice::from_ref(step)), self.group);
        let (stream, message) = (step.stream.clone(), message.clone());
        let parked = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move {
                parking::park(work, group, &stream, &message).await?;
                move_offsets(work, rows, 1).await
            })
        });
        Box::pin(parked)
    }

    fn park_behind<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<bool, HandlerError>> {
        let (rows, group) = (move_rows(self.group, std::slice::from_ref(step)), self.group);
        let (stream, message) = (step.stream.clone(), message.clone());
        let parked = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move {
                if !parking::park_behind(work, group, &stream, &message).await? {
                    return Ok(false);
                }
                move_offsets(work, rows, 1).await?;
                Ok(true)
            })
        });
        Box::pin(parked)
    }

    fn may_forget(&self) -> bool {
        self.messaging.db().may_forget()
    }

    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>> {
        Box::pin(async move { Ok(parked_keys(self.messaging.db(), self.group).await?) })
    }

    fn committed(&self, effect: H::Effect) {
        self.handler.committed(effect);
    }
}

/// The group is in each row, so that a row has its whole key: else SQLite reads every offset of the group, and all rows for each.
fn move_rows(group: &str, moves: &[Move]) -> Vec<Vec<Value>> {
    let row = |step: &Move| {
        let StreamId { source, channel, partition } = &step.stream;
        values![group, *source, &**channel, *partition, step.from, step.to, step.epoch]
    };
    moves.iter().map(row).collect()
}

/// Compare-and-set of every offset: one that stands elsewhere or has a newer owner means that somebody else works on the
/// stream now, or that a message is missing or repeated. Then nothing of the batch may stand.
async fn move_offsets(work: &mut UnitOfWork<'_>, moves: Vec<Vec<Value>>, count: usize) -> Result<(), HandlerError> {
    let moved = work.tx.execute(
        sql("update consumer_offset set last_seq = step.until from rows($1: consumer_group text, source text, \
             channel text, partition_no bigint, since bigint, until bigint, epoch bigint) as step \
             where consumer_offset.consumer_group = step.consumer_group and consumer_offset.source = step.source \
             and consumer_offset.channel = step.channel and consumer_offset.partition_no = step.partition_no \
             and last_seq = step.since and consumer_offset.epoch = step.epoch")
        .rows(moves),
    );
    let moved = moved.await?;
    if moved == count as u64 { Ok(()) } else { Err(HandlerError::Moved) }
}
