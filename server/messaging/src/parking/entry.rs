//! What lies in the parking lot, as it is read.

use crate::{Headers, Record};
use std::sync::Arc;
use tramline_db::{Db, DbError, Statement, Tx, UtcMicros, sql};
use uuid::Uuid;

tramline_db::record! {
    /// A parked message, for a check of the whole.
    #[derive(Clone, Debug)]
    pub struct Parked {
        /// Who could not handle it.
        pub consumer_group: String,
        /// The publishing service.
        pub source: String,
        /// The channel.
        pub channel: String,
        /// The place in its stream.
        pub seq: i64,
        /// Names the message.
        pub message_id: Uuid,
        /// Its key: later messages of it are parked too.
        pub message_key: Uuid,
        /// Why it is here.
        pub reason: String,
        /// How often it was tried.
        pub attempts: i64,
    }
}

impl Parked {
    /// The oldest parked messages of a database, at most 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(db: &Db) -> Result<Vec<Self>, DbError> {
        db.all(sql("select consumer_group, source, channel, seq, message_id, message_key, reason, attempts \
             from parked_message order by parked_at, parked_no limit 1000"))
            .await
    }
}

/// A parked message with all that is known of it.
#[derive(Clone, Debug)]
pub struct ParkedMessage {
    /// Who could not handle it.
    pub group: String,
    /// The publishing service.
    pub source: String,
    /// The channel.
    pub channel: String,
    /// The message itself, as it was edited last.
    pub record: Arc<Record>,
    /// Its place in the line of its key.
    pub place: i64,
    /// Why it is here, or why it failed last.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i64,
    /// How many of these tries an operator asked for.
    pub replays: i64,
    /// When it was parked.
    pub parked_at: UtcMicros,
    /// When it failed last.
    pub failed_at: UtcMicros,
}

/// A key that waits, with the first of its messages.
#[derive(Clone, Debug)]
pub struct ParkedKey {
    /// The message that holds up the others.
    pub first: ParkedMessage,
    /// How many messages wait, the first included.
    pub waiting: i64,
}

tramline_db::record! {
    /// How many messages of one kind are parked for the same reason.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ParkedKind {
        /// Who could not handle them.
        pub consumer_group: String,
        /// The channel.
        pub channel: String,
        /// The kind of command, reply or event.
        pub kind: String,
        /// Why.
        pub reason: String,
        /// How many.
        pub messages: i64,
        /// When the oldest was parked, in microseconds since 1970.
        pub oldest: i64,
    }
}

tramline_db::record! {
    pub(super) struct Row {
        consumer_group: String,
        source: String,
        channel: String,
        seq: i64,
        message_id: Uuid,
        message_key: Uuid,
        headers: String,
        payload: String,
        reason: String,
        attempts: i64,
        replays: i64,
        parked_no: i64,
        parked_at: i64,
        failed_at: i64,
        waiting: i64,
    }
}

impl Row {
    fn into_message(self) -> Result<ParkedMessage, DbError> {
        let headers: Headers =
            serde_json::from_str(&self.headers).map_err(|error| DbError::corrupt("message headers", error))?;
        let record = Record {
            seq: self.seq,
            id: self.message_id,
            key: self.message_key,
            headers,
            payload: self.payload,
            // When the outbox took it is not kept; no handler may depend on it.
            recorded_at: UtcMicros(self.parked_at),
        };
        Ok(ParkedMessage {
            group: self.consumer_group,
            source: self.source,
            channel: self.channel,
            record: Arc::new(record),
            place: self.parked_no,
            reason: self.reason,
            attempts: self.attempts,
            replays: self.replays,
            parked_at: UtcMicros(self.parked_at),
            failed_at: UtcMicros(self.failed_at),
        })
    }
}

/// The keys that wait after a place in the list, by group and key.
pub(super) async fn keys(
    db: &Db,
    group: Option<&str>,
    (after_group, after_key): (&str, Uuid),
    limit: i64,
) -> Result<Vec<ParkedKey>, DbError> {
    let rows: Vec<Row> = db
        .all(
            sql("select m.consumer_group, m.source, m.channel, m.seq, m.message_id, m.message_key, m.headers, m.payload, \
                 m.reason, m.attempts, m.replays, m.parked_no, m.parked_at, m.failed_at, \
                 (select count(*) from parked_message as c \
                 where c.consumer_group = k.consumer_group and c.message_key = k.message_key) as waiting \
                 from parked_key as k join parked_message as m \
                 on m.consumer_group = k.consumer_group and m.message_key = k.message_key \
                 where (k.consumer_group, k.message_key) > ($1, $2) and ($3 is null or k.consumer_group = $3) \
                 and not exists (select 1 from parked_message as earlier \
                 where earlier.consumer_group = k.consumer_group and earlier.message_key = k.message_key \
                 and (earlier.parked_no, earlier.source, earlier.channel) < (m.parked_no, m.source, m.channel)) \
                 order by k.consumer_group, k.message_key limit $4")
            .bind(after_group)
            .bind(after_key)
            .bind(group.map(str::to_owned))
            .bind(limit),
        )
        .await?;
    let key = |row: Row| {
        let waiting = row.waiting;
        Ok(ParkedKey { first: row.into_message()?, waiting })
    };
    rows.into_iter().map(key).collect()
}

pub(super) async fn kinds(db: &Db, limit: i64) -> Result<Vec<ParkedKind>, DbError> {
    db.all(
        sql("select consumer_group, channel, kind, reason, count(*) as messages, min(parked_at) as oldest \
             from parked_message group by consumer_group, channel, kind, reason \
             order by count(*) desc, consumer_group, channel, kind, reason limit $1")
        .bind(limit),
    )
    .await
}

/// The messages of a key, in the order in which they came, at most `limit`.
pub(super) async fn line(tx: &mut Tx, group: &str, key: Uuid, limit: i64) -> Result<Vec<ParkedMessage>, DbError> {
    let rows: Vec<Row> = tx.all(line_statement(group, key, limit)).await?;
    rows.into_iter().map(Row::into_message).collect()
}

/// As [`line`], outside any unit of work.
pub(super) async fn first(db: &Db, group: &str, key: Uuid) -> Result<Option<ParkedMessage>, DbError> {
    db.optional::<Row>(line_statement(group, key, 1)).await?.map(Row::into_message).transpose()
}

fn line_statement(group: &str, key: Uuid, limit: i64) -> Statement {
    sql("select consumer_group, source, channel, seq, message_id, message_key, headers, payload, reason, attempts, replays, \
         parked_no, parked_at, failed_at, 0 as waiting \
         from parked_message where consumer_group = $1 and message_key = $2 \
         order by parked_no, source, channel limit $3")
    .bind(group)
    .bind(key)
    .bind(limit)
}

/// A message by its id. One that was sent again under the same id lies here more than once: then the first.
pub(super) async fn find(tx: &mut Tx, group: &str, message_id: Uuid) -> Result<Option<ParkedMessage>, DbError> {
    let row: Option<Row> = tx
        .optional(
            sql("select consumer_group, source, channel, seq, message_id, message_key, headers, payload, reason, attempts, \
                 replays, parked_no, parked_at, failed_at, 0 as waiting \
                 from parked_message where consumer_group = $1 and message_id = $2 \
                 order by parked_no, source, channel limit 1")
            .bind(group)
            .bind(message_id),
        )
        .await?;
    row.map(Row::into_message).transpose()
}

/// How many messages each group has parked.
pub(super) async fn counts(db: &Db) -> Result<Vec<(String, i64)>, DbError> {
    db.all(sql("select consumer_group, count(*) from parked_message group by consumer_group")).await
}
