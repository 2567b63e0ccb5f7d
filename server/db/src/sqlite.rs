//! SQLite: one writer that commits what is queued together, and a pool of readers beside it.
//!
//! A second writer would only wait for the first one's file lock, and each commit costs an fsync. So all writes go to
//! one task, which opens a transaction, runs every unit of work that waits (each but the first behind a savepoint) and
//! commits once. Callers hear of success only after the commit (group commit, as in DeWitt et al., SIGMOD 1984).

use crate::{BoxFuture, Counters, DbError, Migration, Record, Statement, Tx, migration::migrate_sqlite};
use futures_util::FutureExt as _;
use sqlx::{
    ConnectOptions as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{panic::AssertUnwindSafe, path::Path, sync::Arc, time::Duration};
use tokio::sync::{Mutex, mpsc, oneshot};

/// The most units of work that share a commit: enough to hide the fsync, few enough to bound a transaction.
pub const GROUP_COMMIT_MAX: usize = 128;
/// The most units of work that wait for the writer; further callers wait for a place.
const QUEUE_MAX: usize = 1_024;
/// Readers beside the writer.
const READERS: u32 = 4;

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power failure: each commit is on the disk before its caller hears of it.
    Full,
    /// A crash of the process. A power failure may take the newest commits, so only for what can be rebuilt.
    Process,
}

#[derive(Clone, Debug)]
pub(crate) struct SqliteDb {
    readers: SqlitePool,
    queue: mpsc::Sender<Job>,
    writer: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

/// A unit of work, its type erased: runs in the transaction and says whether to keep its effects.
type Job = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Ran> + Send>;

/// What a job left behind.
struct Ran {
    keep: bool,
    /// Tells the caller, once it is known whether the transaction committed.
    finish: Box<dyn FnOnce(Result<(), DbError>) + Send>,
}

impl SqliteDb {
    pub(crate) async fn open(
        name: &'static str,
        path: &Path,
        durability: Durability,
        migrations: &[Migration],
        counters: Arc<Counters>,
    ) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Process => SqliteSynchronous::Normal,
            })
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .statement_cache_capacity(256)
            .optimize_on_close(true, 400)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        migrate_sqlite(&mut connection, name, migrations).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options.read_only(true));
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let writer = tokio::spawn(run_writer(name, Tx::sqlite(connection, Arc::clone(&counters)), jobs, counters));
        Ok(Self { readers, queue, writer: Arc::new(Mutex::new(Some(writer))) })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T, E>>();
        let job: Job = Box::new(move |tx| {
            Box::pin(async move {
                // A panic in one unit of work must not take down the others that share the transaction.
                let outcome = AssertUnwindSafe(work(tx)).catch_unwind().await;
                let outcome = outcome.unwrap_or_else(|_| Err(E::from(DbError::Abandoned)));
                Ran {
                    keep: outcome.is_ok(),
                    finish: Box::new(move |committed| {
                        let outcome = outcome.and_then(|value| committed.map(|()| value).map_err(E::from));
                        // The caller may have gone; the effects stand all the same.
                        let _ = answer.send(outcome);
                    }),
                }
            })
        });
        self.queue.send(job).await.map_err(|_| E::from(DbError::Abandoned))?;
        answered.await.unwrap_or_else(|_| Err(E::from(DbError::Abandoned)))
    }

    pub(crate) async fn all<R: Record>(&self, statement: Statement) -> Result<Vec<R>, DbError> {
        let text = statement.text;
        Ok(sqlx::query_as_with(text, statement.sqlite_arguments()?).fetch_all(&self.readers).await?)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take() {
            // An empty unit of work: once it is done, so is all that was queued before it.
            let _ = self.write::<(), DbError, _>(|_| Box::pin(std::future::ready(Ok(())))).await;
            writer.abort();
            let _ = writer.await;
        }
    }
}

/// Runs units of work until nobody can send any more.
async fn run_writer(name: &'static str, mut tx: Tx, mut jobs: mpsc::Receiver<Job>, counters: Arc<Counters>) {
    while let Some(first) = jobs.recv().await {
        let mut finished = Vec::new();
        let committed = run_group(&mut tx, first, &mut jobs, &mut finished).await;
        match &committed {
            Ok(()) => counters.count_commit(),
            Err(error) => {
                tracing::error!(db.name = name, error = ?error, "a transaction was rolled back");
                // Nothing may be open when this fails, and then there is nothing to undo.
                let _ = tx.control("rollback").await;
            }
        }
        for finish in finished {
            finish(committed.as_ref().map(|()| ()).map_err(|error| DbError::NotCommitted(error.to_string())));
        }
    }
}

/// One transaction: the first unit of work and all that wait behind it.
async fn run_group(
    tx: &mut Tx,
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
    finished: &mut Vec<Box<dyn FnOnce(Result<(), DbError>) + Send>>,
) -> Result<(), DbError> {
    let mut next = Some(first);
    tx.control("begin immediate").await?;
    while let Some(job) = next {
        // The first needs no savepoint: to undo it is to begin again.
        let alone = finished.is_empty();
        if !alone {
            tx.control("savepoint unit").await?;
        }
        let Ran { keep, finish } = job(tx).await;
        finished.push(finish);
        match (keep, alone) {
            (true, true) => {}
            (false, true) => {
                tx.control("rollback").await?;
                tx.control("begin immediate").await?;
            }
            (true, false) => tx.control("release unit").await?,
            (false, false) => {
                tx.control("rollback to unit").await?;
                tx.control("release unit").await?;
            }
        }
        next = if finished.len() < GROUP_COMMIT_MAX { jobs.try_recv().ok() } else { None };
    }
    tx.control("commit").await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SystemClock, SystemIds, sql};

    const SCHEMA: &[Migration] = &[Migration {
        version: 1,
        description: "notes",
        sqlite: "create table note (id integer primary key, text text not null)",
    }];

    async fn open(folder: &Path, migrations: &[Migration]) -> Result<crate::Db, DbError> {
        let path = folder.join("notes.db");
        crate::Db::open_sqlite("notes", &path, Durability::Full, migrations, Arc::new(SystemClock), Arc::new(SystemIds))
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
        let newer =
            [SCHEMA[0], Migration { version: 2, description: "more", sqlite: "create table more (id integer)" }];
        open(folder.path(), &newer).await.expect("it opens").close().await;
        assert!(matches!(open(folder.path(), SCHEMA).await, Err(DbError::NewerSchema { .. })));
    }
}
