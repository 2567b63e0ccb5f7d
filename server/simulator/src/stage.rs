//! What a simulated system stands on: its databases, its clock, its ids, and the chance that rules them.

use crate::{Chance, Flaw, effects::WITNESS};
use futures_util::FutureExt as _;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use tramline_db::{Clock, CommitFate, CommitFates, Db, DbError, IdSource, MemorySchema, Migration, UtcMicros};
use tramline_messaging::Messaging;
use uuid::Uuid;

/// Some moment in the past: simulated time has no meaning but its order.
const BEGINNING: i64 = 1_700_000_000_000_000;
/// A commit dies once in so many, before or after: about one in four sagas meets one.
const COMMITS_PER_DEATH: u32 = 40;

/// Where a world is opened. One per run.
#[derive(Clone, Debug)]
pub struct Stage {
    pub(crate) shared: Arc<Shared>,
}

/// What everything in a run shares.
#[derive(Debug)]
pub(crate) struct Shared {
    chance: Mutex<Chance>,
    clock: AtomicI64,
    ids: AtomicU64,
    commits: AtomicU64,
    fates: Mutex<Fates>,
    flaws: Vec<Flaw>,
    schemas: Arc<Schemas>,
}

/// The schemas of a campaign's databases: to run the migrations for each run costs a third of its time.
#[derive(Debug, Default)]
pub(crate) struct Schemas(Mutex<HashMap<SchemaKey, Arc<MemorySchema>>>);

/// A database's name, and the versions of its migrations.
type SchemaKey = (&'static str, Vec<i64>);

impl Schemas {
    fn of(&self, name: &'static str, migrations: &[Migration]) -> Result<Arc<MemorySchema>, DbError> {
        let key = (name, migrations.iter().map(|step| step.version).collect());
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(match made.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Arc::new(MemorySchema::new(name, migrations)?)),
        }))
    }
}

#[derive(Debug, Default)]
struct Fates {
    armed: bool,
    /// What happened to the newest commit that died.
    died: Option<CommitFate>,
}

impl Stage {
    pub(crate) fn new(chance: Chance, flaws: &[Flaw], schemas: &Arc<Schemas>) -> Self {
        Self {
            shared: Arc::new(Shared {
                chance: Mutex::new(chance),
                clock: AtomicI64::new(BEGINNING),
                ids: AtomicU64::new(0),
                commits: AtomicU64::new(0),
                fates: Mutex::default(),
                flaws: flaws.to_vec(),
                schemas: Arc::clone(schemas),
            }),
        }
    }

    /// Makes a choice that the run's seed decides: while the world is opened, or in what it does, and never where it is only asked
    /// what is true.
    pub fn choose<T>(&self, choose: impl FnOnce(&mut Chance) -> T) -> T {
        choose(&mut self.shared.chance())
    }

    /// A service's database with its outbox, in memory.
    ///
    /// # Errors
    /// When the schema is refused.
    pub fn messaging(&self, name: &'static str, migrations: &[Migration]) -> Result<Messaging, DbError> {
        let shared = || Arc::clone(&self.shared);
        let migrations = [migrations, WITNESS].concat();
        let schema = self.shared.schemas.of(name, &migrations)?;
        let db = Db::in_memory_of(name, &schema, shared(), shared(), shared())?;
        Messaging::open(db).now_or_never().unwrap_or(Err(DbError::Abandoned))
    }

    /// Whether the run is to show this flaw. For worlds that plant flaws of their own.
    #[must_use]
    pub fn has(&self, flaw: Flaw) -> bool {
        self.shared.flaws.contains(&flaw)
    }
}

impl Shared {
    pub(crate) fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fates(&self) -> MutexGuard<'_, Fates> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on commits may die, or no longer.
    pub(crate) fn arm(&self, armed: bool) {
        self.fates().armed = armed;
    }

    /// Whether a commit died since this was last asked.
    pub(crate) fn take_death(&self) -> Option<CommitFate> {
        self.fates().died.take()
    }

    /// Commits that stand.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn pass_time(&self, micros: i64) {
        self.clock.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaws.contains(&flaw)
    }
}

impl CommitFates for Shared {
    fn at_commit(&self, _: &'static str) -> CommitFate {
        let mut fates = self.fates();
        let fate = match fates.armed {
            true if self.chance().once_in(COMMITS_PER_DEATH) => match self.chance().below(2) {
                0 => CommitFate::DiesBefore,
                _ => CommitFate::DiesAfter,
            },
            _ => CommitFate::Stands,
        };
        if fate != CommitFate::DiesBefore {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        if fate != CommitFate::Stands {
            fates.died = Some(fate);
        }
        fate
    }
}

impl Clock for Shared {
    fn now(&self) -> UtcMicros {
        UtcMicros(self.clock.load(Ordering::Relaxed))
    }
}

impl IdSource for Shared {
    fn next(&self) -> Uuid {
        // Far from the small numbers that worlds like to give to their own things.
        Uuid::from_u128((1 << 100) + u128::from(self.ids.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A commit's fate in words.
pub(crate) struct InWords(pub(crate) CommitFate);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            CommitFate::Stands => "commits",
            CommitFate::DiesBefore => "dies before the commit",
            CommitFate::DiesAfter => "dies after the commit",
        })
    }
}
