//! Who works on what when several processes share the work: each slot of a task has one owner at a time.
//!
//! A lease says until when, by the database's own clock; that keeps the work going when a process dies. It does not make the
//! work safe: a process that stood still may wake after its lease and believe in it. So each new owner gets a higher epoch,
//! and whatever changes state compares it there: the offset's row, the broker's stream (*fencing token*, Kleppmann 2016).

use crate::{
    PARTITIONS,
    lease::{Plan, Seen, plan},
    outage::Outage,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tramline_db::{Db, DbError, Tx, sql, values};
use uuid::Uuid;

/// How long a lease holds without being renewed: what an owner's death delays its slots at most, with one round.
pub const LEASE: Duration = Duration::from_secs(3);
/// How often leases are renewed and shared out.
const ROUND: Duration = Duration::from_millis(700);
/// An owner stops this long before its lease ends, by its own clock.
const MARGIN: Duration = Duration::from_millis(300);

/// The slots that this process owns, each with its epoch.
pub type Epochs = BTreeMap<u16, i64>;

/// What a process owns of a task, as it changes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ownership {
    owned: watch::Receiver<Owned>,
}

#[derive(Clone, Debug)]
struct Owned {
    epochs: Arc<Epochs>,
    /// `None`: for good.
    until: Option<Instant>,
}

/// Whether other processes may want a share of the same tasks.
#[derive(Clone, Debug)]
pub enum Sharing {
    /// This process has the database to itself: it owns every slot for good.
    Alone,
    /// Any number of processes share the slots, each under a name of its own for this life.
    Among(Uuid),
}

/// How much of a task a process wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// As much as every other.
    FairShare,
    /// All of it, whoever has it now: for a task that something else makes exclusive.
    Everything,
}

impl Ownership {
    /// Takes part in a task of [`PARTITIONS`] slots, until told to stop: then the slots are handed over at once. The future
    /// returned beside is what keeps the leases; spawn it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn join(
        db: &Db,
        task: &str,
        sharing: &Sharing,
        appetite: Appetite,
        stop: CancellationToken,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), DbError> {
        let task: Arc<str> = task.into();
        let (sender, owned) = watch::channel(Owned { epochs: Arc::default(), until: None });
        let alone = matches!(sharing, Sharing::Alone);
        let me = match sharing {
            Sharing::Alone => db.new_id(),
            Sharing::Among(me) => *me,
        };
        let keeper = Keeper { db: db.clone(), task, me, appetite: if alone { Appetite::Everything } else { appetite } };
        if alone {
            sender.send_replace(Owned { epochs: keeper.round().await?, until: None });
        }
        let keeping = async move {
            if alone {
                stop.cancelled().await;
            } else {
                keeper.keep(&sender, &stop).await;
            }
            sender.send_replace(Owned { epochs: Arc::default(), until: None });
        };
        Ok((Self { owned }, keeping))
    }

    /// What is owned now. Empty once the leases may have run out.
    #[must_use]
    pub fn epochs(&self) -> Arc<Epochs> {
        self.owned.borrow().now()
    }

    /// Waits until other slots are owned than `known`, by slot or by epoch, or none because the leases have run out. Never ends
    /// once the keeper has stopped.
    pub async fn changed(&mut self, known: &Epochs) {
        loop {
            let until = {
                let owned = self.owned.borrow_and_update();
                let epochs = owned.now();
                if *epochs != *known {
                    return;
                }
                owned.until.filter(|_| !epochs.is_empty())
            };
            let end = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(end);
            tokio::select! {
                // The keeper is gone: nothing comes any more but the end of the leases.
                changed = self.owned.changed() => if changed.is_err() {
                    end.await;
                },
                () = &mut end => {}
            }
        }
    }
}

impl Owned {
    fn now(&self) -> Arc<Epochs> {
        match self.until {
            Some(until) if until <= now() => Arc::default(),
            _ => Arc::clone(&self.epochs),
        }
    }
}

/// Keeps the leases of one process on one task.
struct Keeper {
    db: Db,
    task: Arc<str>,
    me: Uuid,
    appetite: Appetite,
}

impl Keeper {
    async fn keep(&self, sender: &watch::Sender<Owned>, stop: &CancellationToken) {
        let mut tick = tokio::time::interval(ROUND);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut outage = Outage::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            let began = now();
            match tokio::time::timeout(LEASE, self.round()).await {
                Ok(Ok(epochs)) => {
                    outage.ends();
                    let known = sender.borrow().epochs.len();
                    if known != epochs.len() {
                        tracing::info!(task = &*self.task, slots = epochs.len(), "this process now owns another share");
                    }
                    metrics::gauge!("tramline_leases_owned", "task" => self.task.to_string()).set(epochs.len() as f64);
                    sender.send_replace(Owned { epochs, until: Some(began + LEASE - MARGIN) });
                }
                Ok(Err(error)) => {
                    if let Some(tries) = outage.goes_on() {
                        tracing::warn!(task = &*self.task, tries, error = ?error, "the leases were not renewed");
                    }
                }
                Err(_) => {
                    if let Some(tries) = outage.goes_on() {
                        tracing::warn!(task = &*self.task, tries, "the leases were not renewed in time");
                    }
                }
            }
        }
        if let Err(error) = self.leave().await {
            tracing::warn!(task = &*self.task, error = ?error, "the leases were not handed over and run out by themselves");
        }
    }

    /// Renews, gives up what is more than a fair share, takes what nobody has.
    async fn round(&self) -> Result<Arc<Epochs>, DbError> {
        let (task, me, appetite) = (self.task.to_string(), self.me, self.appetite);
        let owned =
            self.db.write::<_, DbError, _>(move |tx| Box::pin(async move { round(tx, &task, me, appetite).await }));
        Ok(Arc::new(owned.await?))
    }

    async fn leave(&self) -> Result<(), DbError> {
        let (task, me) = (self.task.to_string(), self.me);
        let left = self.db.write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                release(tx, &task, me, (0..PARTITIONS).collect()).await?;
                tx.execute(sql("delete from lease_member where task = $1 and owner = $2").bind(task).bind(me)).await
            })
        });
        left.await.map(drop)
    }
}

async fn round(tx: &mut Tx, task: &str, me: Uuid, appetite: Appetite) -> Result<Epochs, DbError> {
    let now = tx.database_now().await?;
    let until = now.0 + i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
    tx.execute(
        sql("insert into lease_member (task, owner, expires_at) values ($1, $2, $3) \
             on conflict (task, owner) do update set expires_at = excluded.expires_at")
        .bind(task)
        .bind(me)
        .bind(until),
    )
    .await?;
    let members: Vec<(Uuid, i64)> =
        tx.all(sql("select owner, expires_at from lease_member where task = $1 limit 1000").bind(task)).await?;
    let leases: Vec<(i64, Uuid, i64, i64)> =
        tx.all(sql("select slot, owner, epoch, expires_at from lease where task = $1").bind(task)).await?;
    let (alive, gone): (Vec<_>, Vec<_>) = members.into_iter().partition(|(_, expires_at)| *expires_at > now.0);
    if !gone.is_empty() {
        tx.execute(sql("delete from lease_member where task = $1 and expires_at <= $2").bind(task).bind(now)).await?;
    }
    let seen = leases.into_iter().filter_map(|(slot, owner, epoch, expires_at)| {
        Some(Seen { slot: u16::try_from(slot).ok()?, owner, epoch, free: expires_at <= now.0 })
    });
    let alive: HashSet<Uuid> = alive.into_iter().map(|(owner, _)| owner).collect();
    let Plan { keep, give_up } = plan(PARTITIONS, me, &alive, &seen.collect::<Vec<_>>(), appetite);
    release(tx, task, me, give_up).await?;
    let wanted = keep.into_iter().map(|(slot, epoch)| values![slot, epoch]);
    // Somebody else may have taken a slot since it was looked at: then the condition does not hold any more.
    let rows: Vec<(i64, i64)> = tx
        .all(
            sql("insert into lease (task, slot, owner, epoch, expires_at) \
                 select $2, wanted.slot, $3, wanted.epoch, $4 from rows($1: slot bigint, epoch bigint) as wanted where true \
                 on conflict (task, slot) do update \
                 set owner = excluded.owner, epoch = excluded.epoch, expires_at = excluded.expires_at \
                 where excluded.epoch > lease.epoch or lease.owner = excluded.owner and lease.epoch = excluded.epoch \
                 returning slot, epoch")
            .rows(wanted)
            .bind(task)
            .bind(me)
            .bind(until),
        )
        .await?;
    Ok(rows.into_iter().filter_map(|(slot, epoch)| Some((u16::try_from(slot).ok()?, epoch))).collect())
}

/// Makes slots free for whoever looks next.
async fn release(tx: &mut Tx, task: &str, me: Uuid, slots: Vec<u16>) -> Result<(), DbError> {
    if slots.is_empty() {
        return Ok(());
    }
    tx.execute(
        sql("update lease set expires_at = 0 where task = $2 and owner = $3 \
             and slot in (select given.slot from rows($1: slot bigint) as given)")
        .column(slots)
        .bind(task)
        .bind(me),
    )
    .await
    .map(drop)
}

/// The monotonic clock: how long a lease has been held is measured in this process's own time.
#[expect(clippy::disallowed_methods, reason = "an edge: only here a process measures how old its leases are")]
fn now() -> Instant {
    Instant::now()
}
