//! What must be true of the outboxes and offsets once it is calm. Read-only.

use crate::{Channel, StreamId};
use std::collections::HashMap;
use tramline_db::{Db, DbError, sql};

/// A group that consumes a channel of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whose database holds the offsets.
    pub reader: &'static str,
    /// The consumer group.
    pub group: &'static str,
    /// The publishing service.
    pub source: &'static str,
    /// The channel.
    pub channel: Channel,
}

/// The last number given out, per (service, channel, partition).
pub type Heads = HashMap<(&'static str, String, i64), i64>;

/// The head of every stream of a service, and what is wrong with its outbox: a gap, or rows that do not end at the head.
/// Rows may be missing at the front, where an outbox is trimmed.
///
/// # Errors
/// When the database fails.
pub async fn outbox(db: &Db, source: &'static str) -> Result<(Heads, Vec<String>), DbError> {
    let rows: Vec<(String, i64, i64, i64, i64, i64)> = db
        .all(sql("select h.channel, h.partition_no, h.last_seq, count(o.seq), coalesce(min(o.seq), h.last_seq + 1), \
             coalesce(max(o.seq), h.last_seq) \
             from outbox_head as h \
             left join outbox as o on o.channel = h.channel and o.partition_no = h.partition_no \
             group by h.channel, h.partition_no, h.last_seq"))
        .await?;
    let (mut heads, mut wrong) = (Heads::new(), Vec::new());
    for (channel, partition, head, count, first, last) in rows {
        let stream = format!("stream {source}/{channel}/{partition}");
        if last != head {
            wrong.push(format!("{stream}: the last message is {last}, but {head} numbers were given out"));
        }
        if count != last - first + 1 {
            wrong.push(format!("{stream}: {count} messages lie between {first} and {last}"));
        }
        heads.insert((source, channel, partition), head);
    }
    let strays: Vec<(String, i64, i64)> = db
        .all(sql(
            "select channel, partition_no, count(*) from outbox as o where not exists (select 1 from outbox_head as h \
             where h.channel = o.channel and h.partition_no = o.partition_no) group by channel, partition_no",
        ))
        .await?;
    wrong.extend(strays.into_iter().map(|(channel, partition, count)| {
        format!("stream {source}/{channel}/{partition}: {count} messages have numbers that were never given out")
    }));
    Ok((heads, wrong))
}

/// The head of every stream of a service, without a look at its messages: what it costs does not grow with them.
///
/// # Errors
/// When the database fails.
pub async fn heads(db: &Db, source: &'static str) -> Result<Heads, DbError> {
    let heads = crate::outbox::heads(db).await?;
    let named = |(stream, last): (StreamId, i64)| ((source, stream.channel.to_string(), stream.partition.into()), last);
    Ok(heads.into_iter().map(named).collect())
}

/// How far a group has come in each partition of a channel.
pub type Offsets = HashMap<i64, i64>;

/// How far the group has come, as its database says.
///
/// # Errors
/// When the database fails.
pub async fn offsets(db: &Db, Reading { group, source, channel, .. }: Reading) -> Result<Offsets, DbError> {
    let rows: Vec<(i64, i64)> = db
        .all(
            sql("select partition_no, last_seq from consumer_offset \
                 where consumer_group = $1 and source = $2 and channel = $3")
            .bind(group)
            .bind(source)
            .bind(channel),
        )
        .await?;
    Ok(rows.into_iter().collect())
}

/// The streams whose offset is not their head: a message had no effect yet, or one had that was never sent.
#[must_use]
pub fn behind(Reading { group, source, channel, .. }: Reading, offsets: &Offsets, heads: &Heads) -> Vec<String> {
    let mut wrong = Vec::new();
    for partition in 0..i64::from(crate::PARTITIONS) {
        let head = heads.get(&(source, channel.to_owned(), partition)).copied().unwrap_or(0);
        let offset = offsets.get(&partition).copied().unwrap_or(0);
        if offset != head {
            wrong.push(format!(
                "group {group}: has handled {offset} of {head} in stream {source}/{channel}/{partition}"
            ));
        }
    }
    wrong
}
