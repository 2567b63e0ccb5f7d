//! Loads and appends.

use crate::{Aggregate, Event};
use std::marker::PhantomData;
use tramline_db::{Db, DbError, Statement, Tx, UtcMicros, sql};
use uuid::Uuid;

/// Events between snapshots: bounds how many a load replays.
pub const SNAPSHOT_EVERY: i64 = 20;

/// The event store of one kind of aggregate. Stateless; the transaction brings the database.
#[derive(Debug)]
pub struct EventStore<A>(PhantomData<A>);

/// Whether an append took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The aggregate is at this version now.
    At(i64),
    /// Somebody else appended first: load again and decide again.
    Conflict,
}

/// An event as it was stored.
#[derive(Clone, Debug)]
pub struct StoredEvent<E> {
    /// The version that it made.
    pub version: i64,
    /// When it was appended.
    pub recorded_at: UtcMicros,
    /// What happened.
    pub event: E,
}

tramline_db::record! {
    struct Part {
        version: i64,
        is_snapshot: i64,
        payload: String,
    }
}

impl<A: Aggregate> EventStore<A> {
    /// The aggregate and its version, or `None` when it has no events.
    ///
    /// # Errors
    /// When the database fails or what is stored does not read.
    pub async fn load(tx: &mut Tx, id: Uuid) -> Result<Option<(A, i64)>, DbError> {
        Self::assemble(tx.all(Self::parts(id)).await?)
    }

    /// The aggregate and its version as of now, outside any unit of work: to be shown, never to decide on.
    ///
    /// # Errors
    /// When the database fails or what is stored does not read.
    pub async fn read(db: &Db, id: Uuid) -> Result<Option<(A, i64)>, DbError> {
        Self::assemble(db.all(Self::parts(id)).await?)
    }

    fn parts(id: Uuid) -> Statement {
        sql("select version, 1 as is_snapshot, payload from snapshot \
             where aggregate_kind = $1 and aggregate_id = $2 \
             union all \
             select version, 0 as is_snapshot, payload from event \
             where aggregate_kind = $1 and aggregate_id = $2 and version > coalesce( \
             (select version from snapshot where aggregate_kind = $1 and aggregate_id = $2), 0) \
             order by version")
        .bind(A::KIND)
        .bind(id)
    }

    fn assemble(parts: Vec<Part>) -> Result<Option<(A, i64)>, DbError> {
        let (mut aggregate, mut version) = (A::default(), 0);
        for part in parts {
            if part.is_snapshot == 1 {
                aggregate =
                    serde_json::from_str(&part.payload).map_err(|error| DbError::corrupt("a snapshot", error))?;
            } else {
                let event = serde_json::from_str(&part.payload).map_err(|error| DbError::corrupt("an event", error))?;
                aggregate.apply(&event);
            }
            version = part.version;
        }
        Ok((version > 0).then_some((aggregate, version)))
    }

    /// Appends events after `expected`, and applies them to the aggregate.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append(
        tx: &mut Tx,
        id: Uuid,
        aggregate: &mut A,
        expected: i64,
        events: &[A::Event],
        now: UtcMicros,
    ) -> Result<Appended, DbError> {
        let mut version = expected;
        for event in events {
            version += 1;
            let payload = serde_json::to_string(event).map_err(|error| DbError::corrupt("an event", error))?;
            let inserted = tx.execute(
                sql("insert into event (aggregate_kind, aggregate_id, version, event_kind, payload, recorded_at) \
                     values ($1, $2, $3, $4, $5, $6) \
                     on conflict (aggregate_kind, aggregate_id, version) do nothing")
                .bind(A::KIND)
                .bind(id)
                .bind(version)
                .bind(event.kind())
                .bind(payload)
                .bind(now),
            );
            if inserted.await? == 0 {
                return Ok(Appended::Conflict);
            }
            aggregate.apply(event);
        }
        if version / SNAPSHOT_EVERY > expected / SNAPSHOT_EVERY {
            Self::save_snapshot(tx, id, aggregate, version).await?;
        }
        Ok(Appended::At(version))
    }

    /// The events of an aggregate after a version, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails or what is stored does not read.
    pub async fn events(tx: &mut Tx, id: Uuid, after: i64, limit: i64) -> Result<Vec<StoredEvent<A::Event>>, DbError> {
        let rows: Vec<(i64, i64, String)> = tx
            .all(
                sql("select version, recorded_at, payload from event \
                     where aggregate_kind = $1 and aggregate_id = $2 and version > $3 order by version limit $4")
                .bind(A::KIND)
                .bind(id)
                .bind(after)
                .bind(limit),
            )
            .await?;
        rows.into_iter()
            .map(|(version, recorded_at, payload)| {
                let event = serde_json::from_str(&payload).map_err(|error| DbError::corrupt("an event", error))?;
                Ok(StoredEvent { version, recorded_at: UtcMicros(recorded_at), event })
            })
            .collect()
    }

    async fn save_snapshot(tx: &mut Tx, id: Uuid, aggregate: &A, version: i64) -> Result<(), DbError> {
        let payload = serde_json::to_string(aggregate).map_err(|error| DbError::corrupt("a snapshot", error))?;
        tx.execute(
            sql("insert into snapshot (aggregate_kind, aggregate_id, version, payload) values ($1, $2, $3, $4) \
                 on conflict (aggregate_kind, aggregate_id) do update \
                 set version = excluded.version, payload = excluded.payload \
                 where excluded.version > snapshot.version")
            .bind(A::KIND)
            .bind(id)
            .bind(version)
            .bind(payload),
        )
        .await?;
        Ok(())
    }
}
