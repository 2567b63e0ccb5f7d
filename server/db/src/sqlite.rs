//! SQLite: one writer thread that commits what is queued together, and readers beside it.
//!
//! A second writer would only wait for the first one's file lock, and each commit costs an fsync. So all writes go to
//! one thread, which opens a transaction, runs every unit of work that waits (each but the first behind a savepoint) and
//! commits once. Callers hear of success only after the commit (group commit, as in DeWitt et al., SIGMOD 1984).
//! Statements run on that thread without a switch between threads, so a unit of work costs microseconds.

mod prepared;

pub(crate) use prepared::{all, execute};

use crate::{BoxFuture, Counters, DbError, Migration, Record, Statement, Tx, migration::migrate_sqlite};
use futures_util::FutureExt as _;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// The most units of work that share a commit: enough to hide the fsync, few enough to bound a transaction.
pub const GROUP_COMMIT_MAX: usize = 128;
/// The most units of work that wait for the writer; further callers wait for a place.
const QUEUE_MAX: usize = 1_024;
/// Readers beside the writer.
const READERS: usize = 4;
/// Prepared statements kept per connection: more than the program has.
pub(crate) const STATEMENTS: usize = 512;
/// How long a lock of another process, such as a backup, is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power failure: each commit is on the disk before its caller hears of it.
    Full,
    /// A crash of the process. A power failure, or a crash of the server that the database has, may take the newest commits, so only
    /// for what can be rebuilt.
    Process,
}

#[derive(Clone, Debug)]
pub(crate) struct SqliteDb {
    readers: Arc<Readers>,
    queue: mpsc::Sender<Job>,
    writer: Arc<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

#[derive(Debug)]
struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

enum Job {
    Work(Work),
    Stop,
}

/// A unit of work, its type erased: runs in the transaction and says whether to keep its effects.
type Work = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Ran> + Send>;

/// What a unit of work left behind.
struct Ran {
    keep: bool,
    finish: Finish,
}

/// Tells the caller, once it is known whether the transaction committed.
type Finish = Box<dyn FnOnce(Result<(), DbError>) + Send>;

impl SqliteDb {
    pub(crate) fn open(
        name: &'static str,
        path: &Path,
        durability: Durability,
        migrations: &[Migration],
        counters: Arc<Counters>,
    ) -> Result<Self, DbError> {
        let mut connection = Connection::open(path)?;
        tune(&connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(
            None,
            "synchronous",
            match durability {
                Durability::Full => "full",
                Durability::Process => "normal",
            },
        )?;
        migrate_sqlite(&mut connection, name, migrations)?;
        let idle = (0..READERS).map(|_| open_reader(path)).collect::<Result<_, _>>()?;
        let readers = Arc::new(Readers { idle: Mutex::new(idle), permits: Semaphore::new(READERS) });
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let tx = Tx::sqlite(connection, Arc::clone(&counters));
        let writer = std::thread::Builder::new()
            .name(format!("{name}-writer"))
            .spawn(move || run_writer(name, tx, jobs, &counters))
            .map_err(|_| DbError::Abandoned)?;
        Ok(Self { readers, queue, writer: Arc::new(Mutex::new(Some(writer))) })
    }

    pub(crate) async fn write_then<T, E, F, A>(&self, work: F, after: A) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        A: FnOnce(&mut T) + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T, E>>();
        let job: Work = Box::new(move |tx| {
            Box::pin(async move {
                let outcome = work(tx).await;
                Ran {
                    keep: outcome.is_ok(),
                    finish: Box::new(move |committed| {
                        let outcome = outcome.and_then(|mut value| {
                            committed?;
                            after(&mut value);
                            Ok(value)
                        });
                        // The caller may have gone; the effects stand all the same.
                        let _ = answer.send(outcome);
                    }),
                }
            })
        });
        self.queue.send(Job::Work(job)).await.map_err(|_| E::from(DbError::Abandoned))?;
        answered.await.unwrap_or_else(|_| Err(E::from(DbError::Abandoned)))
    }

    pub(crate) async fn all<R: Record>(&self, statement: Statement) -> Result<Vec<R>, DbError> {
        let readers = Arc::clone(&self.readers);
        let _permit = self.readers.permits.acquire().await.map_err(|_| DbError::Abandoned)?;
        let reading = tokio::task::spawn_blocking(move || {
            let connection = readers.lock().pop().ok_or(DbError::Abandoned)?;
            // A panic while a row is read must not cost the reader.
            let rows = catch_unwind(AssertUnwindSafe(|| all(&connection, &statement)));
            readers.lock().push(connection);
            rows.unwrap_or(Err(DbError::Abandoned))
        });
        reading.await.unwrap_or(Err(DbError::Abandoned))
    }

    pub(crate) async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Everything queued before this is done first.
            let _ = self.queue.send(Job::Stop).await;
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
            self.readers.permits.close();
            self.readers.lock().clear();
        }
    }
}

impl Readers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_reader(path: &Path) -> Result<Connection, DbError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    tune(&connection)?;
    Ok(connection)
}

fn tune(connection: &Connection) -> Result<(), DbError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Plans must not depend on bound values: otherwise many a statement is prepared anew for each of its values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Runs units of work until it is told to stop or nobody can send any more.
fn run_writer(name: &'static str, mut tx: Tx, mut jobs: mpsc::Receiver<Job>, counters: &Counters) {
    while let Some(Job::Work(first)) = jobs.blocking_recv() {
        let mut finished = Vec::new();
        let mut stop = false;
        let committed = run_group(&mut tx, first, &mut jobs, &mut finished, &mut stop);
        match &committed {
            Ok(()) => counters.count_commit(),
            Err(error) => {
                tracing::error!(db.name = name, error = ?error, "a transaction was rolled back");
                // Nothing may be open when this fails, and then there is nothing to undo.
                let _ = tx.control("rollback");
            }
        }
        for finish in finished {
            finish(committed.as_ref().copied().map_err(|error| DbError::NotCommitted(error.to_string())));
        }
        if stop {
            return;
        }
    }
}

/// One transaction: the first unit of work and all that wait behind it.
fn run_group(
    tx: &mut Tx,
    first: Work,
    jobs: &mut mpsc::Receiver<Job>,
    finished: &mut Vec<Finish>,
    stop: &mut bool,
) -> Result<(), DbError> {
    let mut next = Some(first);
    let mut count = 0;
    tx.control("begin immediate")?;
    while let Some(work) = next.take() {
        // The first needs no savepoint: to undo it is to begin again.
        let alone = count == 0;
        if !alone {
            tx.control("savepoint unit")?;
        }
        count += 1;
        let ran = run_one(tx, work);
        let keep = ran.as_ref().is_some_and(|ran| ran.keep);
        finished.extend(ran.map(|ran| ran.finish));
        match (keep, alone) {
            (true, true) => {}
            (false, true) => {
                tx.control("rollback")?;
                tx.control("begin immediate")?;
            }
            (true, false) => tx.control("release unit")?,
            (false, false) => {
                tx.control("rollback to unit")?;
                tx.control("release unit")?;
            }
        }
        if count < GROUP_COMMIT_MAX {
            match jobs.try_recv() {
                Ok(Job::Work(work)) => next = Some(work),
                Ok(Job::Stop) => *stop = true,
                Err(_) => {}
            }
        }
    }
    tx.control("commit")
}

/// Runs one unit of work. `None` when it panicked or waited for anything but its own statements: that would hold up
/// everybody else, so it is abandoned, which its caller hears as its answer is dropped.
fn run_one(tx: &mut Tx, work: Work) -> Option<Ran> {
    // What a panic leaves half-done in the transaction is rolled back by the caller.
    catch_unwind(AssertUnwindSafe(|| work(tx).now_or_never())).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SystemClock, SystemIds, sql};

    const SCHEMA: &[Migration] = &[Migration {
        version: 1,
        description: "notes",
        sql: "create table note (id bigint primary key, text text not null)",
    }];

    async fn open(folder: &Path, migrations: &[Migration]) -> Result<crate::Db, DbError> {
        let address = crate::Address::parse(&tramline_testing::store_address(folder, "notes")).expect("it reads");
        crate::Db::open("notes", &address, Durability::Full, migrations, Arc::new(SystemClock), Arc::new(SystemIds))
            .await
    }

    fn insert(id: i64) -> Statement {
        sql("insert into note (id, text) values ($1, $2)").bind(id).bind("text")
    }

    async fn ids(db: &crate::Db) -> Vec<i64> {
        let rows: Vec<(i64,)> = db.all(sql("select id from note order by id")).await.expect("the table is there");
        rows.into_iter().map(|(id,)| id).collect()
    }

    #[tokio::test]
    async fn a_unit_of_work_that_fails_or_panics_leaves_nothing_and_spares_its_neighbours() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = open(folder.path(), SCHEMA).await.expect("it opens");
        let works = (0..30).map(|id| {
            db.write::<(), DbError, _>(move |tx| {
                Box::pin(async move {
                    tx.execute(insert(id)).await?;
                    match id % 3 {
                        0 => Ok(()),
                        1 => Err(DbError::Abandoned),
                        _ => panic!("planted"),
                    }
                })
            })
        });
        let outcomes = futures_util::future::join_all(works).await;
        let kept: Vec<i64> = (0..30).filter(|id| id % 3 == 0).collect();
        assert_eq!(ids(&db).await, kept);
        let ok: Vec<i64> = (0..30).zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(id, _)| id).collect();
        assert_eq!(ok, kept);
        assert!(db.counters().commits() < 30, "those that waited committed together");
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_closing_and_opening_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = open(folder.path(), SCHEMA).await.expect("it opens");
        db.write::<_, DbError, _>(|tx| Box::pin(tx.execute(insert(7)))).await.expect("it is kept");
        db.close().await;
        let again = open(folder.path(), SCHEMA).await.expect("it opens again");
        assert_eq!(ids(&again).await, [7]);
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let newer = [SCHEMA[0], Migration { version: 2, description: "more", sql: "create table more (id integer)" }];
        open(folder.path(), &newer).await.expect("it opens").close().await;
        assert!(matches!(open(folder.path(), SCHEMA).await, Err(DbError::NewerSchema { .. })));
    }
}
