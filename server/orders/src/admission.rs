//! How much the service takes on: more would only wait, and make everything wait that was taken before.
//!
//! New orders are shed first (*load shedding*, Google's *Site Reliability Engineering*, chapter 21): replies to sagas under
//! way never pass here, so what was accepted always comes to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tramline_db::{Db, UtcMicros};
use tramline_sagas::count_open;

/// How old the count of sagas under way may grow, in microseconds.
const COUNT_EVERY_MICROS: u64 = 1_000_000;
/// A unit of work takes milliseconds: somebody's place is free in a moment.
const SEAT_RETRY: Duration = Duration::from_secs(1);
/// A backlog shrinks more slowly, and is counted once a second.
const BACKLOG_RETRY: Duration = Duration::from_secs(2);

/// How much the service takes on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// New orders that wait for their commit. Half of what the database's queue holds, so that replies find a place in it.
    pub in_flight: usize,
    /// Sagas under way, of all instances of the service: with a thousand decided each second, the default is twenty seconds
    /// of waiting for the last one.
    pub open_sagas: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { in_flight: 512, open_sagas: 20_000 }
    }
}

/// Lets new orders in, or not.
pub(crate) struct Admission {
    seats: Arc<Semaphore>,
    open_max: i64,
    /// Sagas under way when they were last counted.
    counted: AtomicI64,
    /// Sagas started here since.
    started: AtomicI64,
    counted_at: Mutex<Option<UtcMicros>>,
}

/// A place among those in flight. To be held until the unit of work has run, even when its caller has gone.
pub(crate) type Seat = Arc<OwnedSemaphorePermit>;

impl Admission {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(capacity.in_flight)),
            open_max: capacity.open_sagas.into(),
            counted: AtomicI64::new(0),
            started: AtomicI64::new(0),
            counted_at: Mutex::new(None),
        }
    }

    /// A place for a new order, or when to try again.
    pub(crate) async fn admit(&self, db: &Db) -> Result<Seat, Duration> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| SEAT_RETRY)?;
        self.count_when_due(db).await;
        let open = self.counted.load(Ordering::Relaxed).saturating_add(self.started.load(Ordering::Relaxed));
        if open < self.open_max { Ok(Arc::new(seat)) } else { Err(BACKLOG_RETRY) }
    }

    /// A saga was started. Those that have ended since the last count are not taken off, so the count errs on the safe side
    /// for a second at most.
    pub(crate) fn started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts once a second while orders come, and not at all while none do. The count is the database's: it holds after a
    /// restart, and for any number of instances.
    async fn count_when_due(&self, db: &Db) {
        // One counts, the others go by the count before.
        let Ok(mut counted_at) = self.counted_at.try_lock() else { return };
        let now = db.now();
        if counted_at.is_some_and(|then| now.0.abs_diff(then.0) < COUNT_EVERY_MICROS) {
            return;
        }
        // First this: what is started while we count is then counted twice rather than not at all.
        self.started.store(0, Ordering::Relaxed);
        match count_open(db, self.open_max).await {
            Ok(open) => self.counted.store(open, Ordering::Relaxed),
            // The unit of work that follows fails likewise, and tells its caller.
            Err(error) => tracing::warn!(%error, "the sagas under way could not be counted"),
        }
        *counted_at = Some(now);
    }
}
