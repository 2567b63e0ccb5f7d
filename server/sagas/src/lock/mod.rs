//! The semantic lock: an aggregate that a saga is at work on says so, and other sagas are refused, ask again, or queue.
//!
//! Sagas lack isolation, so what one has changed and may still take back is marked as held (Garcia-Molina and Salem call for
//! it; Richardson, *Microservices Patterns*, 4.3.2, names it *semantic lock*). The lock is a row beside the aggregate, taken and
//! released in the saga's own unit of work, so it lasts as long as the saga and survives any restart.
//!
//! ```
//! use tramline_messaging::{HandlerError, UnitOfWork};
//! use tramline_sagas::lock::{Locking, Policy, lock, unlock};
//! use uuid::Uuid;
//!
//! # async fn example(work: &mut UnitOfWork<'_>, room: Uuid, saga: Uuid) -> Result<(), HandlerError> {
//! match lock(work, room, saga, Policy::Queue { token: None }).await? {
//!     Locking::Held => println!("nobody else changes the room until it is released"),
//!     Locking::Waiting { holder } => println!("{holder} has it; this saga is next in its turn"),
//!     Locking::Refused { holder } => println!("{holder} has it"),
//!     Locking::Deadlock { cycle } => println!("these wait for each other: {cycle:?}"),
//! }
//! if let Some(next) = unlock(work, room, saga).await? {
//!     println!("{} holds the room now and must be told so", next.saga_id);
//! }
//! # Ok(()) }
//! ```
//!
//! Which aggregates there are, and what it means to hold one, this module does not know.

mod graph;
mod schema;

pub use graph::WaitGraph;
pub use schema::MIGRATIONS;

use tramline_db::{Db, DbError, UtcMicros, sql};
use tramline_messaging::{HandlerError, UnitOfWork};
use uuid::Uuid;

/// Waits looked at in search of a deadlock. One who would wait when more are waiting already is refused: such a crowd is a
/// failure of its own, and a deadlock in it could be overlooked.
pub const WAITS_MAX: i64 = 10_000;
/// Aggregates that one saga may hold at once.
pub const HELD_MAX: i64 = 100;

/// What to do when another saga holds the aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Be refused at once.
    Refuse,
    /// Ask again, in whatever turn, until that moment; then be refused.
    Wait {
        /// The last moment.
        until: UtcMicros,
    },
    /// Stand in line. Whoever releases the lock hands it to the first in line and is told so.
    Queue {
        /// Kept and given back with the lock: what names the answer that the saga waits for.
        token: Option<String>,
    },
}

/// What became of asking for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locking {
    /// The saga holds the aggregate, now or since before.
    Held,
    /// Another one has it, and this one asks again or stands in line.
    Waiting {
        /// Who has it.
        holder: Uuid,
    },
    /// Another one has it, and this one does not wait.
    Refused {
        /// Who has it.
        holder: Uuid,
    },
    /// Waiting would never end, so the saga that asked is refused and does not wait.
    Deadlock {
        /// Who waits for whom, beginning with the saga that asked; the last waits for the first.
        cycle: Vec<Uuid>,
    },
}

tramline_db::record! {
    /// A saga that holds an aggregate from now on, because it was first in line.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Granted {
        /// The saga.
        pub saga_id: Uuid,
        /// What it left when it queued.
        pub token: Option<String>,
    }
}

tramline_db::record! {
    /// A lock, for reading.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct LockView {
        /// What is held.
        pub aggregate_id: Uuid,
        /// Which saga holds it.
        pub holder: Uuid,
        /// Since when, in microseconds.
        pub taken_at: i64,
        /// How many wait for it.
        pub waiting: i64,
    }
}

/// Takes an aggregate for a saga, or says who has it. One statement when nobody has it (two to ask
/// again). Asking for what one holds changes nothing.
///
/// A unit of work that takes several should take them in one agreed sequence, or PostgreSQL may undo it and it is tried again.
///
/// # Errors
/// When the database fails.
pub async fn lock(
    work: &mut UnitOfWork<'_>,
    aggregate_id: Uuid,
    saga_id: Uuid,
    policy: Policy,
) -> Result<Locking, HandlerError> {
    // The update changes nothing: it keeps the row until the end of the unit of work, so that nobody releases it meanwhile.
    let take = sql("insert into saga_lock (aggregate_id, holder, taken_at) values ($1, $2, $3) \
                    on conflict (aggregate_id) do update set taken_at = saga_lock.taken_at returning holder");
    let row: Option<(Uuid,)> = work.tx.optional(take.bind(aggregate_id).bind(saga_id).bind(work.now)).await?;
    let Some((holder,)) = row else {
        return Err(HandlerError::Permanent("the table of locks took no row".to_owned()));
    };
    if holder == saga_id {
        // One that asked again has it at last; one that stood in line was taken out of it when it was handed the lock.
        if matches!(policy, Policy::Wait { .. }) {
            forget_wait(work, aggregate_id, saga_id).await?;
        }
        return Ok(Locking::Held);
    }
    match policy {
        Policy::Refuse => Ok(Locking::Refused { holder }),
        Policy::Wait { until } if until <= work.now => {
            forget_wait(work, aggregate_id, saga_id).await?;
            Ok(Locking::Refused { holder })
        }
        Policy::Wait { until } => wait(work, aggregate_id, saga_id, holder, Some(until), None).await,
        Policy::Queue { token } => wait(work, aggregate_id, saga_id, holder, None, token).await,
    }
}

/// Begins to wait, unless that would never end.
async fn wait(
    work: &mut UnitOfWork<'_>,
    aggregate_id: Uuid,
    saga_id: Uuid,
    holder: Uuid,
    expires_at: Option<UtcMicros>,
    token: Option<String>,
) -> Result<Locking, HandlerError> {
    work.tx.execute(sql("update saga_lock_gate set passed = passed + 1 where id = 1")).await?;
    let now = work.now;
    // In line behind whoever is there already; one that stands in line keeps its place.
    let stand = sql("insert into saga_lock_waiter (aggregate_id, saga_id, place, expires_at, token, since) \
                     select $1, $2, case when $3 is null then 1 + coalesce(max(place), 0) end, $3, $4, $5 \
                     from saga_lock_waiter where aggregate_id = $1 \
                     on conflict (aggregate_id, saga_id) do update set expires_at = excluded.expires_at, \
                     token = coalesce(excluded.token, saga_lock_waiter.token)");
    let stand = stand.bind(aggregate_id).bind(saga_id).bind(expires_at).bind(token).bind(now);
    work.tx.execute(stand).await?;
    let edges: Vec<(Uuid, Uuid)> = work.tx.all(waits().bind(now).bind(WAITS_MAX + 1)).await?;
    let crowded = i64::try_from(edges.len()).unwrap_or(i64::MAX) > WAITS_MAX;
    let cycle = edges.into_iter().collect::<WaitGraph>().cycle_through(saga_id);
    if crowded || cycle.is_some() {
        forget_wait(work, aggregate_id, saga_id).await?;
    }
    Ok(match cycle {
        Some(cycle) => Locking::Deadlock { cycle },
        None if crowded => Locking::Refused { holder },
        None => Locking::Waiting { holder },
    })
}

/// Every wait: for who holds the aggregate, and in a line also for whoever stands before.
fn waits() -> tramline_db::Statement {
    sql("select waiter.saga_id, held.holder from saga_lock_waiter as waiter \
         join saga_lock as held on held.aggregate_id = waiter.aggregate_id \
         where waiter.expires_at is null or waiter.expires_at > $1 \
         union all \
         select waiter.saga_id, before.saga_id from saga_lock_waiter as waiter \
         join saga_lock_waiter as before on before.aggregate_id = waiter.aggregate_id and before.place < waiter.place \
         limit $2")
}

/// Releases an aggregate, and hands it to the first in line. Two statements when nobody waits; releasing what is not held
/// changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn unlock(
    work: &mut UnitOfWork<'_>,
    aggregate_id: Uuid,
    saga_id: Uuid,
) -> Result<Option<Granted>, HandlerError> {
    // Keeps the row, so that whoever is about to stand in line comes before this, or finds the aggregate free.
    let keep = sql("update saga_lock set taken_at = taken_at where aggregate_id = $1 and holder = $2");
    if work.tx.execute(keep.bind(aggregate_id).bind(saga_id)).await? == 0 {
        return Ok(None);
    }
    let first = sql(
        "delete from saga_lock_waiter where aggregate_id = $1 and saga_id = (select saga_id from saga_lock_waiter \
                     where aggregate_id = $1 and place is not null order by place limit 1) returning saga_id, token",
    );
    let next: Option<Granted> = work.tx.optional(first.bind(aggregate_id)).await?;
    let change = match &next {
        Some(next) => sql("update saga_lock set holder = $2, taken_at = $3 where aggregate_id = $1")
            .bind(aggregate_id)
            .bind(next.saga_id)
            .bind(work.now),
        None => sql("delete from saga_lock where aggregate_id = $1").bind(aggregate_id),
    };
    work.tx.execute(change).await?;
    Ok(next)
}

/// Ends all that a saga holds and waits for; tells who holds what from now on. For a saga that ends.
///
/// # Errors
/// When the database fails.
pub async fn release(work: &mut UnitOfWork<'_>, saga_id: Uuid) -> Result<Vec<(Uuid, Granted)>, HandlerError> {
    work.tx.execute(sql("delete from saga_lock_waiter where saga_id = $1").bind(saga_id)).await?;
    let held = sql("select aggregate_id from saga_lock where holder = $1 order by aggregate_id limit $2");
    let held: Vec<(Uuid,)> = work.tx.all(held.bind(saga_id).bind(HELD_MAX)).await?;
    let mut granted = Vec::new();
    for (aggregate_id,) in held {
        if let Some(next) = unlock(work, aggregate_id, saga_id).await? {
            granted.push((aggregate_id, next));
        }
    }
    Ok(granted)
}

async fn forget_wait(work: &mut UnitOfWork<'_>, aggregate_id: Uuid, saga_id: Uuid) -> Result<(), DbError> {
    let forget = sql("delete from saga_lock_waiter where aggregate_id = $1 and saga_id = $2");
    work.tx.execute(forget.bind(aggregate_id).bind(saga_id)).await?;
    Ok(())
}

/// Who holds an aggregate, with how many wait for it, or `None` when it is free.
///
/// # Errors
/// When the database fails.
pub async fn find_lock(db: &Db, aggregate_id: Uuid) -> Result<Option<LockView>, DbError> {
    db.optional(
        sql("select aggregate_id, holder, taken_at, (select count(*) from saga_lock_waiter as waiter \
             where waiter.aggregate_id = saga_lock.aggregate_id) as waiting \
             from saga_lock where aggregate_id = $1")
        .bind(aggregate_id),
    )
    .await
}
