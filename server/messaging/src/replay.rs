//! Reads outboxes from any place, for whoever builds a group's effects anew beside the old ones, and then takes over from them.
//!
//! It needs no broker: an outbox holds everything that was ever sent. It must not touch what relays and consumers do meanwhile.

use crate::{Batch, Channel, PARTITIONS, Position, StreamId, outbox, relay::by_stream};
use tramline_db::{Db, DbError, Tx, sql};

/// How far a channel of this outbox goes now: the last number of each partition, 0 for none.
///
/// # Errors
/// When the database fails.
pub async fn outbox_heads(db: &Db, channel: Channel) -> Result<Vec<Position>, DbError> {
    let known = outbox::heads(db).await?;
    let head = |partition| {
        let stream = StreamId { source: db.name(), channel: channel.into(), partition };
        let head = known.iter().find(|(id, _)| *id == stream).map_or(0, |(_, head)| *head);
        (stream, head)
    };
    Ok((0..PARTITIONS).map(head).collect())
}

/// What an outbox has after these positions, at most `limit` messages of each stream, in order and without gaps.
///
/// # Errors
/// When the database fails or what is stored does not read.
pub async fn read_outbox(db: &Db, positions: &[Position], limit: usize) -> Result<Vec<Batch>, DbError> {
    let rows = outbox::outbox_after(db, positions, limit).await?;
    let records = rows.into_iter().map(|row| row.into_record(db.name())).collect::<Result<_, _>>()?;
    Ok(by_stream(records))
}

/// Gives `group` the offsets of `builder`, which then has none, unless the builder lacks something that the group has
/// handled: then nothing changes and the answer is `false`. Owners stay who they are.
///
/// The caller's transaction must keep the group's own from committing meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn take_over_offsets(tx: &mut Tx, builder: &str, group: &str) -> Result<bool, DbError> {
    let behind: Option<(i64,)> = tx
        .optional(
            sql("select count(*) from consumer_offset as o where o.consumer_group = $2 and o.last_seq > coalesce(( \
                 select b.last_seq from consumer_offset as b where b.consumer_group = $1 and b.source = o.source \
                 and b.channel = o.channel and b.partition_no = o.partition_no), 0)")
            .bind(builder)
            .bind(group),
        )
        .await?;
    if behind.is_none_or(|(count,)| count > 0) {
        return Ok(false);
    }
    tx.execute(
        sql("insert into consumer_offset (consumer_group, source, channel, partition_no, last_seq, epoch) \
             select $2, b.source, b.channel, b.partition_no, b.last_seq, 0 from consumer_offset as b \
             where b.consumer_group = $1 \
             on conflict (consumer_group, source, channel, partition_no) do update set last_seq = excluded.last_seq")
        .bind(builder)
        .bind(group),
    )
    .await?;
    forget_offsets(tx, builder).await?;
    Ok(true)
}

/// Forgets how far a group has come.
///
/// # Errors
/// When the database fails.
pub async fn forget_offsets(tx: &mut Tx, group: &str) -> Result<(), DbError> {
    tx.execute(sql("delete from consumer_offset where consumer_group = $1").bind(group)).await.map(drop)
}
