//! The parking lot: a message that cannot be handled waits here, and those of its key behind it, while others go on.
//!
//! *Dead Letter Channel* (Hohpe and Woolf, *Enterprise Integration Patterns*, 2003), kept per key so that order survives. A row of
//! `parked_key` stands for each key that waits: whoever parks behind it, mends or lets go locks that row first, in whichever
//! process, so a key is never let go while a message is put behind it. What bodies mean it does not know; [`Bodies`] tells.

mod audit;
mod bodies;
mod entry;
mod lot;
mod replay;
mod retry;

pub use audit::{AuditEntry, By};
pub use bodies::{Bodies, BodySchema};
pub use entry::{Parked, ParkedKey, ParkedKind, ParkedMessage};
pub use lot::{Inspected, MendError, ParkingLot, Skipped};
pub use replay::{DryRun, Replay, ReplayFailure, Replayed, Turn};
pub use retry::Retried;

use crate::{Messaging, StreamId, UnitOfWork, effects::Unhandled};
use tramline_db::{Db, DbError, Tx, sql};
use uuid::Uuid;

impl Messaging {
    /// Parks a message for a group whose effects lie in another store: do so before the offset moves past it there, for
    /// what is parked twice is parked once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn park(&self, group: &'static str, stream: &StreamId, message: &Unhandled) -> Result<(), DbError> {
        let (stream, message) = (stream.clone(), message.clone());
        self.transact(None, move |work| Box::pin(async move { park(work, group, &stream, &message).await })).await
    }

    /// As [`Messaging::park`], if messages of the key are still parked. `false`: none is, and nothing was done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn park_behind(
        &self,
        group: &'static str,
        stream: &StreamId,
        message: &Unhandled,
    ) -> Result<bool, DbError> {
        let (stream, message) = (stream.clone(), message.clone());
        self.transact(None, move |work| Box::pin(async move { park_behind(work, group, &stream, &message).await }))
            .await
    }

    /// The keys whose messages a group has parked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked_keys(&self, group: &str) -> Result<Vec<Uuid>, DbError> {
        parked_keys(self.db(), group).await
    }
}

/// The keys whose messages a group has parked.
pub(crate) async fn parked_keys(db: &Db, group: &str) -> Result<Vec<Uuid>, DbError> {
    let rows: Vec<(Uuid,)> =
        db.all(sql("select message_key from parked_key where consumer_group = $1").bind(group)).await?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Parks a message, the first of its key or not; one that is parked already stays as it is.
pub(crate) async fn park(
    work: &mut UnitOfWork<'_>,
    group: &str,
    stream: &StreamId,
    message: &Unhandled,
) -> Result<(), DbError> {
    work.tx
        .execute(
            sql("insert into parked_key (consumer_group, message_key, turns) values ($1, $2, 1) \
                 on conflict (consumer_group, message_key) do update set turns = parked_key.turns + 1")
            .bind(group)
            .bind(message.record.key),
        )
        .await?;
    insert(work, group, stream, message).await
}

/// Parks a message behind others of its key. `false`: there are none any more, and nothing was done.
pub(crate) async fn park_behind(
    work: &mut UnitOfWork<'_>,
    group: &str,
    stream: &StreamId,
    message: &Unhandled,
) -> Result<bool, DbError> {
    if !lock(work.tx, group, message.record.key).await? {
        return Ok(false);
    }
    insert(work, group, stream, message).await?;
    Ok(true)
}

/// Takes the key for this transaction. `false`: nothing of it is parked.
pub(crate) async fn lock(tx: &mut Tx, group: &str, key: Uuid) -> Result<bool, DbError> {
    let locked = tx.execute(
        sql("update parked_key set turns = turns + 1 where consumer_group = $1 and message_key = $2")
            .bind(group)
            .bind(key),
    );
    Ok(locked.await? > 0)
}

/// Lets the key go if nothing of it waits any more. Returns how many messages still wait. The key must be locked.
pub(crate) async fn let_go(tx: &mut Tx, group: &str, key: Uuid) -> Result<i64, DbError> {
    let waiting = waiting(tx, group, key).await?;
    if waiting == 0 {
        tx.execute(sql("delete from parked_key where consumer_group = $1 and message_key = $2").bind(group).bind(key))
            .await?;
    }
    Ok(waiting)
}

/// How many messages of a key wait.
pub(crate) async fn waiting(tx: &mut Tx, group: &str, key: Uuid) -> Result<i64, DbError> {
    let waiting: Option<(i64,)> = tx
        .optional(
            sql("select count(*) from parked_message where consumer_group = $1 and message_key = $2")
                .bind(group)
                .bind(key),
        )
        .await?;
    Ok(waiting.map_or(0, |(count,)| count))
}

/// The key is locked, so the next place in its line is nobody else's.
async fn insert(
    work: &mut UnitOfWork<'_>,
    group: &str,
    stream: &StreamId,
    Unhandled { record, reason, attempts }: &Unhandled,
) -> Result<(), DbError> {
    let now = work.now;
    let inserted = work.tx.execute(
        sql(
            "insert into parked_message (consumer_group, source, channel, partition_no, seq, message_id, message_key, \
             headers, payload, reason, attempts, parked_at, failed_at, kind, parked_no) \
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, coalesce(max(parked_no), 0) + 1 \
             from parked_message where consumer_group = $1 and message_key = $7 \
             on conflict (consumer_group, source, channel, partition_no, seq) do nothing",
        )
        .bind(group)
        .bind(stream.source)
        .bind(&*stream.channel)
        .bind(i64::from(stream.partition))
        .bind(record.seq)
        .bind(record.id)
        .bind(record.key)
        .bind(serde_json::to_string(&record.headers).unwrap_or_default())
        .bind(record.payload.as_str())
        .bind(reason)
        .bind(i64::from(*attempts))
        .bind(now)
        .bind(record.headers.kind.as_str()),
    );
    inserted.await.map(drop)
}
