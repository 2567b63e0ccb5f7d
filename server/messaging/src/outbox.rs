//! The transactional outbox: state and messages change together or not at all.

use crate::{Channel, Headers, Message, PARTITIONS, Record, StreamId, partition_of, relay::RelaySignal};
use std::{collections::BTreeMap, sync::Arc};
use tramline_db::{BoxFuture, Db, DbError, Tx, UtcMicros, sql, values};
use uuid::Uuid;

/// A service's database with its outbox: where units of work begin. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Messaging {
    db: Db,
    signal: Arc<RelaySignal>,
}

/// State changes and messages that commit together.
#[derive(Debug)]
pub struct UnitOfWork<'t> {
    /// The transaction, for statements on the service's own tables.
    pub tx: &'t mut Tx,
    /// When the unit of work began.
    pub now: UtcMicros,
    /// The trace that caused it (W3C trace context); every message sent carries it on.
    pub traceparent: Option<String>,
    db: Db,
    outgoing: Vec<Message>,
}

impl UnitOfWork<'_> {
    /// An id that was never used before.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        self.db.new_id()
    }

    /// Sends a message when the unit of work commits. Returns its id.
    pub fn send(&mut self, channel: Channel, key: Uuid, mut headers: Headers, payload: String) -> Uuid {
        let id = self.new_id();
        headers.traceparent.clone_from(&self.traceparent);
        self.outgoing.push(Message { id, channel, key, headers, payload });
        id
    }

    /// What was sent so far and leaves with the commit.
    #[must_use]
    pub fn outgoing(&self) -> &[Message] {
        &self.outgoing
    }

    /// Sends a message again as it was, under its own id: for a receiver that may have lost it. It must bear repetition.
    pub fn send_again(&mut self, message: Message) {
        self.outgoing.push(message);
    }

    /// Appends what was sent to the outbox: the last two statements of the transaction, however many messages there are.
    /// Returns what lies in the streams now, for the relay.
    async fn flush(&mut self) -> Result<Vec<(StreamId, Arc<Record>)>, DbError> {
        let outgoing = std::mem::take(&mut self.outgoing);
        if outgoing.is_empty() {
            return Ok(Vec::new());
        }
        let mut counts: BTreeMap<(Channel, u16), i64> = BTreeMap::new();
        for message in &outgoing {
            *counts.entry((message.channel, partition_of(message.key))).or_default() += 1;
        }
        let mut next = self.take_numbers(&counts).await?;
        let mut records = Vec::with_capacity(outgoing.len());
        let mut rows = Vec::with_capacity(outgoing.len());
        for Message { id, channel, key, headers, payload } in outgoing {
            let partition = partition_of(key);
            let seq = next.get_mut(&(channel, partition)).map_or(0, |next| {
                *next += 1;
                *next
            });
            let headers_json = serde_json::to_string(&headers).map_err(|error| DbError::corrupt("headers", error))?;
            rows.push(values![channel, partition, seq, id, key, headers_json, payload.as_str()]);
            let stream = StreamId { source: self.db.name(), channel: channel.into(), partition };
            records.push((stream, Arc::new(Record { seq, id, key, headers, payload, recorded_at: self.now })));
        }
        let inserted = self.tx.execute(
            sql("insert into outbox (channel, partition_no, seq, message_id, message_key, headers, payload, recorded_at) \
                 select new.channel, new.partition_no, new.seq, new.id, new.key, new.headers, new.payload, $2 \
                 from rows($1: channel text, partition_no bigint, seq bigint, id uuid, key uuid, headers text, payload text) as new")
            .rows(rows)
            .bind(self.now),
        );
        inserted.await?;
        Ok(records)
    }

    /// Takes the next numbers of every stream written to, and returns the last number before them.
    async fn take_numbers(
        &mut self,
        counts: &BTreeMap<(Channel, u16), i64>,
    ) -> Result<BTreeMap<(Channel, u16), i64>, DbError> {
        // In the order of the key, so that two transactions can never wait for each other.
        let wanted: Vec<_> = counts.iter().map(|((channel, partition), n)| values![*channel, *partition, *n]).collect();
        let rows: Vec<(String, i64, i64)> = self
            .tx
            .all(
                sql("insert into outbox_head (channel, partition_no, last_seq) \
                     select new.channel, new.partition_no, new.count \
                     from rows($1: channel text, partition_no bigint, count bigint) as new where true \
                     on conflict (channel, partition_no) do update set last_seq = outbox_head.last_seq + excluded.last_seq \
                     returning channel, partition_no, last_seq")
                .rows(wanted),
            )
            .await?;
        Ok(counts
            .iter()
            .filter_map(|((channel, partition), n)| {
                let row = rows.iter().find(|row| row.0 == *channel && row.1 == i64::from(*partition))?;
                Some(((*channel, *partition), row.2 - n))
            })
            .collect())
    }
}

impl Messaging {
    /// The outbox of a database whose schema includes [`crate::MIGRATIONS`].
    ///
    /// # Errors
    /// When the database was made for another number of partitions.
    pub async fn open(db: Db) -> Result<Self, DbError> {
        let partitions = db.write::<i64, DbError, _>(|tx| {
            Box::pin(async move {
                tx.execute(
                    sql("insert into messaging_layout (id, partitions) values (1, $1) on conflict (id) do nothing")
                        .bind(i64::from(PARTITIONS)),
                )
                .await?;
                let row: Option<(i64,)> =
                    tx.optional(sql("select partitions from messaging_layout where id = 1")).await?;
                Ok(row.map_or(0, |(partitions,)| partitions))
            })
        });
        let partitions = partitions.await?;
        if partitions != i64::from(PARTITIONS) {
            let found = format!("the database has {partitions} partitions and this program {PARTITIONS}");
            return Err(DbError::corrupt("this program's partition layout", found));
        }
        Ok(Self { db, signal: Arc::new(RelaySignal::default()) })
    }

    /// The database.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    pub(crate) fn signal(&self) -> Arc<RelaySignal> {
        Arc::clone(&self.signal)
    }

    /// Runs a unit of work. `Ok` means that its state and its messages are durable; an `Err` undoes both.
    ///
    /// # Errors
    /// The unit of work's own error, or the database's.
    pub async fn transact<T, E, F>(&self, traceparent: Option<String>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'a, 't> FnOnce(&'a mut UnitOfWork<'t>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    {
        let db = self.db.clone();
        let signal = Arc::clone(&self.signal);
        let done = self.db.write_then::<_, E, _, _>(
            move |tx| {
                Box::pin(async move {
                    let now = db.now();
                    let mut unit = UnitOfWork { tx, now, traceparent, db, outgoing: Vec::new() };
                    let value = work(&mut unit).await?;
                    let records = unit.flush().await?;
                    Ok((value, records))
                })
            },
            // Only now: what is not committed may not be published.
            move |(_, records)| signal.raise(std::mem::take(records)),
        );
        Ok(done.await?.0)
    }
}

tramline_db::record! {
    /// A row of the outbox.
    #[derive(Debug)]
    pub(crate) struct OutboxRow {
        channel: String,
        partition_no: i64,
        seq: i64,
        message_id: Uuid,
        message_key: Uuid,
        headers: String,
        payload: String,
        recorded_at: i64,
    }
}

impl OutboxRow {
    pub(crate) fn into_record(self, source: &'static str) -> Result<(StreamId, Arc<Record>), DbError> {
        let partition = u16::try_from(self.partition_no).map_err(|error| DbError::corrupt("a partition", error))?;
        let stream = StreamId { source, channel: self.channel.into(), partition };
        let record = Record {
            seq: self.seq,
            id: self.message_id,
            key: self.message_key,
            headers: serde_json::from_str(&self.headers).map_err(|error| DbError::corrupt("message headers", error))?,
            payload: self.payload,
            recorded_at: UtcMicros(self.recorded_at),
        };
        Ok((stream, Arc::new(record)))
    }
}

/// What comes after the marks, in order per stream, at most `limit` rows of each. Numbers have no gaps, so no more than the next
/// `limit` of a stream can be wanted: that bounds what is read, however much lies there. The order is made here: asked for it, the
/// planner of PostgreSQL would rather read the whole table in order of its key.
pub(crate) async fn outbox_after(db: &Db, marks: &[(StreamId, i64)], limit: usize) -> Result<Vec<OutboxRow>, DbError> {
    let marks = marks.iter().map(|(stream, seq)| values![&*stream.channel, stream.partition, *seq]);
    let text = "select o.channel, o.partition_no, o.seq, o.message_id, o.message_key, o.headers, o.payload, o.recorded_at \
         from rows($1: channel text, partition_no bigint, seq bigint) as mark \
         join outbox as o on o.channel = mark.channel and o.partition_no = mark.partition_no \
         and o.seq > mark.seq and o.seq <= mark.seq + $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows: Vec<OutboxRow> = db.all(sql(text).rows(marks).bind(limit)).await?;
    rows.sort_unstable_by(|one, other| {
        (&one.channel, one.partition_no, one.seq).cmp(&(&other.channel, other.partition_no, other.seq))
    });
    Ok(rows)
}

/// The last number of every stream.
pub(crate) async fn heads(db: &Db) -> Result<Vec<(StreamId, i64)>, DbError> {
    let rows: Vec<(String, i64, i64)> = db.all(sql("select channel, partition_no, last_seq from outbox_head")).await?;
    rows.into_iter()
        .map(|(channel, partition, seq)| {
            let partition = u16::try_from(partition).map_err(|error| DbError::corrupt("a partition", error))?;
            Ok((StreamId { source: db.name(), channel: channel.into(), partition }, seq))
        })
        .collect()
}
