//! The parking lot: a message that cannot be handled waits here, and those of its key behind it, while others go on.

use crate::{Messaging, StreamId, effects::Unhandled};
use tramline_db::{Db, DbError, Statement, UtcMicros, sql};
use uuid::Uuid;

tramline_db::record! {
    /// A parked message, for an operator.
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
             from parked_message order by parked_at, seq limit 1000"))
            .await
    }
}

impl Messaging {
    /// Parks a message for a group whose effects lie in another store: do so before the offset moves past it there, for
    /// what is parked twice is parked once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn park(&self, group: &'static str, stream: &StreamId, message: &Unhandled) -> Result<(), DbError> {
        let (stream, message) = (stream.clone(), message.clone());
        let parked = self.transact::<_, DbError, _>(None, move |work| {
            Box::pin(async move { work.tx.execute(park(group, &stream, &message, work.now)).await })
        });
        parked.await.map(drop)
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
        db.all(sql("select distinct message_key from parked_message where consumer_group = $1").bind(group)).await?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Parks a message; one that is parked already stays as it is.
pub(crate) fn park(
    group: &str,
    stream: &StreamId,
    Unhandled { record, reason, attempts }: &Unhandled,
    now: UtcMicros,
) -> Statement {
    sql("insert into parked_message (consumer_group, source, channel, partition_no, seq, message_id, message_key, \
         headers, payload, reason, attempts, parked_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         on conflict (consumer_group, source, channel, partition_no, seq) do nothing")
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
}
