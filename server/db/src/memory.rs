//! SQLite in memory, on the thread of whoever calls: a database for simulations, whose commits can be made to go wrong.
//!
//! Everything runs where it is called and nothing waits, so the same calls give the same results every time. It forgets all
//! when it is dropped, and serves nobody but tests and simulations.

use crate::{
    BoxFuture, Clock, Counters, DbError, Migration, Record, Statement, Tx, migration::migrate_sqlite,
    sqlite::STATEMENTS,
};
use futures_util::FutureExt as _;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
    config::DbConfig,
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

/// What becomes of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFate {
    /// It takes place, and its caller hears of it.
    Stands,
    /// The process dies before it: nothing of the unit of work stands.
    DiesBefore,
    /// The process dies right after it: all of it stands, and nobody hears of it.
    DiesAfter,
}

/// Decides what becomes of each commit of a database in memory.
pub trait CommitFates: Send + Sync + fmt::Debug {
    /// Asked once for each unit of work that is about to commit in the database of that name.
    fn at_commit(&self, database: &'static str) -> CommitFate;
}

/// Every commit stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryCommitStands;

impl CommitFates for EveryCommitStands {
    fn at_commit(&self, _: &'static str) -> CommitFate {
        CommitFate::Stands
    }
}

/// A schema in memory that its migrations have made, to be copied into as many databases as one likes: a copy costs a fraction of
/// what the migrations do.
#[derive(Debug)]
pub struct MemorySchema(Mutex<Connection>);

impl MemorySchema {
    /// Makes the schema for databases of that name.
    ///
    /// # Errors
    /// When a migration fails.
    pub fn new(name: &str, migrations: &[Migration]) -> Result<Self, DbError> {
        let mut connection = Connection::open_in_memory()?;
        migrate_sqlite(&mut connection, name, migrations)?;
        Ok(Self(Mutex::new(connection)))
    }

    fn copy_to(&self, connection: &mut Connection) -> Result<(), DbError> {
        /// Not piece by piece: all pages at once.
        const ALL_PAGES: i32 = -1;
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match Backup::new(&made, connection)?.step(ALL_PAGES)? {
            StepResult::Done => Ok(()),
            // Nobody else uses either.
            _ => Err(DbError::Abandoned),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct MemoryDb {
    name: &'static str,
    tx: Arc<Mutex<Tx>>,
    fates: Arc<dyn CommitFates>,
}

impl MemoryDb {
    pub(crate) fn open(
        name: &'static str,
        schema: &MemorySchema,
        fates: Arc<dyn CommitFates>,
        counters: Arc<Counters>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DbError> {
        let mut connection = Connection::open_in_memory()?;
        schema.copy_to(&mut connection)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // As in files, so that a plan here is a plan there.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(Self { name, tx: Arc::new(Mutex::new(Tx::in_memory(connection, counters, clock))), fates })
    }

    /// Fails when the database is used from within one of its own units of work, which would wait for itself for ever.
    fn lock(&self) -> Result<MutexGuard<'_, Tx>, DbError> {
        match self.tx.try_lock() {
            Ok(tx) => Ok(tx),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(DbError::Abandoned),
        }
    }

    pub(crate) fn write_then<T, E, F, A>(&self, counters: &Counters, work: F, after: A) -> Result<T, E>
    where
        E: From<DbError>,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
        A: FnOnce(&mut T),
    {
        let mut value = {
            let mut tx = self.lock()?;
            tx.control("begin immediate")?;
            // One that waits for anything but its own statements is abandoned, as on the writer's thread.
            let outcome = work(&mut tx).now_or_never().unwrap_or_else(|| Err(E::from(DbError::Abandoned)));
            let fate = match &outcome {
                Ok(_) => self.fates.at_commit(self.name),
                Err(_) => CommitFate::DiesBefore,
            };
            match fate {
                CommitFate::Stands | CommitFate::DiesAfter => {
                    tx.control("commit")?;
                    counters.count_commit();
                }
                CommitFate::DiesBefore => tx.control("rollback")?,
            }
            match (outcome, fate) {
                (Ok(value), CommitFate::Stands) => value,
                (Ok(_), CommitFate::DiesBefore | CommitFate::DiesAfter) => return Err(E::from(DbError::Abandoned)),
                (Err(error), _) => return Err(error),
            }
        };
        // The lock is released: what follows a commit may use the database.
        after(&mut value);
        Ok(value)
    }

    pub(crate) fn all<R: Record>(&self, statement: &Statement) -> Result<Vec<R>, DbError> {
        self.lock()?.all_at_once(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Db, SystemClock, SystemIds, sql};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SCHEMA: &[Migration] =
        &[Migration { version: 1, description: "notes", sql: "create table note (id bigint primary key)" }];

    /// The second commit dies before, the third after.
    #[derive(Debug, Default)]
    struct Unlucky(AtomicUsize);

    impl CommitFates for Unlucky {
        fn at_commit(&self, _: &'static str) -> CommitFate {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                1 => CommitFate::DiesBefore,
                2 => CommitFate::DiesAfter,
                _ => CommitFate::Stands,
            }
        }
    }

    fn write(db: &Db, id: i64) -> Result<u64, DbError> {
        let insert = sql("insert into note (id) values ($1)").bind(id);
        db.write(|tx| Box::pin(tx.execute(insert))).now_or_never().expect("nothing waits")
    }

    #[test]
    fn a_death_before_the_commit_leaves_nothing_and_one_after_it_leaves_all() {
        let db =
            Db::in_memory("notes", SCHEMA, Arc::new(Unlucky::default()), Arc::new(SystemClock), Arc::new(SystemIds))
                .expect("it opens");
        let heard: Vec<bool> = (1..=4).map(|id| write(&db, id).is_ok()).collect();
        assert_eq!(heard, [true, false, false, true]);
        let ids: Vec<(i64,)> =
            db.all(sql("select id from note order by id")).now_or_never().expect("nothing waits").expect("it reads");
        assert_eq!(ids, [(1,), (3,), (4,)]);
        // A refusal undoes its unit of work and spends no fate.
        assert!(write(&db, 4).is_err());
        assert!(write(&db, 5).is_ok());
    }

    #[test]
    fn copies_of_a_schema_have_its_tables_and_nothing_of_each_other() {
        let schema = MemorySchema::new("notes", SCHEMA).expect("it is made");
        let copy = || {
            let (fates, clock, ids) = (Arc::new(EveryCommitStands), Arc::new(SystemClock), Arc::new(SystemIds));
            Db::in_memory_of("notes", &schema, fates, clock, ids).expect("it opens")
        };
        let (one, other) = (copy(), copy());
        assert!(write(&one, 1).is_ok());
        for (db, count) in [(&one, 1), (&other, 0), (&copy(), 0)] {
            let notes: Vec<(i64,)> =
                db.all(sql("select id from note")).now_or_never().expect("nothing waits").expect("it reads");
            assert_eq!(notes.len(), count);
        }
    }

    /// A moment long ago.
    #[derive(Debug)]
    struct LongAgo;

    impl crate::Clock for LongAgo {
        fn now(&self) -> crate::UtcMicros {
            crate::UtcMicros(7)
        }
    }

    #[test]
    fn its_own_clock_is_that_of_whoever_opened_it() {
        let db = Db::in_memory("notes", SCHEMA, Arc::new(EveryCommitStands), Arc::new(LongAgo), Arc::new(SystemIds))
            .expect("it opens");
        let now = db.write::<_, DbError, _>(|tx| Box::pin(async move { tx.database_now().await }));
        assert_eq!(now.now_or_never().expect("nothing waits").expect("it answers"), crate::UtcMicros(7));
    }

    #[test]
    fn a_database_that_is_used_from_within_its_own_unit_of_work_refuses() {
        let db =
            Db::in_memory("notes", SCHEMA, Arc::new(EveryCommitStands), Arc::new(SystemClock), Arc::new(SystemIds))
                .expect("it opens");
        let again = db.clone();
        let written = db
            .write::<_, DbError, _>(|_| Box::pin(async move { again.all::<(i64,)>(sql("select id from note")).await }));
        assert!(matches!(written.now_or_never(), Some(Err(DbError::Abandoned))));
    }
}
