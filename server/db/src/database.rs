//! A database as its owner holds it: units of work go to the writer, reads to a pool.

use crate::{
    BoxFuture, Clock, CommitFates, DbError, Durability, ExclusiveUse, IdSource, Migration, Record, Statement, Tail,
    TailError, Tx, UtcMicros,
    memory::{MemoryDb, MemorySchema},
    postgres::PostgresDb,
    sql,
    sqlite::SqliteDb,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

/// How much a database was asked to do, for metrics: the cost of a saga is counted in these.
#[derive(Debug, Default)]
pub struct Counters {
    statements: AtomicU64,
    commits: AtomicU64,
}

impl Counters {
    pub(crate) fn count_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// SQL statements run so far, transaction control included.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Transactions committed so far. Units of work that committed together count once.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

/// A service's own database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    name: &'static str,
    engine: Engine,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    counters: Arc<Counters>,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(SqliteDb),
    Postgres(PostgresDb),
    Memory(MemoryDb),
}

/// Which engine a database has, for the few statements that one text cannot serve: full-text search, locks of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server, as `postgres://user:password@host:port/database`.
    Postgres(String),
}

impl Address {
    /// Reads `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// When it is neither. The text may hold a password, so it is not repeated.
    pub fn parse(text: &str) -> Result<Self, DbError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(path.trim_start_matches("//").into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(DbError::Address("it must begin with sqlite: or postgres://".to_owned()))
    }
}

impl Db {
    /// Opens a database and brings its schema up to date; with no migrations at all the schema is left as it is, for a program
    /// that only looks.
    ///
    /// # Errors
    /// When it cannot be opened or reached, or its schema is newer than this program.
    pub async fn open(
        name: &'static str,
        address: &Address,
        durability: Durability,
        migrations: &[Migration],
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, DbError> {
        match address {
            Address::Sqlite(path) => Self::open_sqlite(name, path, durability, migrations, clock, ids).await,
            Address::Postgres(url) => Self::open_postgres(name, url, durability, migrations, clock, ids).await,
        }
    }

    /// Opens a SQLite file, making it when it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, or its schema is newer than this program.
    pub async fn open_sqlite(
        name: &'static str,
        path: &Path,
        durability: Durability,
        migrations: &[Migration],
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, DbError> {
        let counters = Arc::new(Counters::default());
        let path = path.to_owned();
        let (migrations, counted) = (migrations.to_vec(), Arc::clone(&counters));
        let opening =
            tokio::task::spawn_blocking(move || SqliteDb::open(name, &path, durability, &migrations, counted));
        let sqlite = opening.await.unwrap_or(Err(DbError::Abandoned))?;
        Ok(Self { name, engine: Engine::Sqlite(sqlite), clock, ids, counters })
    }

    /// Opens a PostgreSQL database, and brings the schema of that name up to date; several processes may do so at once.
    ///
    /// # Errors
    /// When the server cannot be reached, or the schema is newer than this program.
    pub async fn open_postgres(
        name: &'static str,
        url: &str,
        durability: Durability,
        migrations: &[Migration],
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, DbError> {
        let postgres = PostgresDb::open(name, url, durability, migrations).await?;
        let counters = Arc::new(Counters::default());
        Ok(Self { name, engine: Engine::Postgres(postgres), clock, ids, counters })
    }

    /// Opens a database in memory that runs on the thread of whoever calls and never waits, for simulations: `fates` says
    /// what becomes of each commit. It is SQLite, and is gone when its last clone is dropped.
    ///
    /// # Errors
    /// When a migration is refused.
    pub fn in_memory(
        name: &'static str,
        migrations: &[Migration],
        fates: Arc<dyn CommitFates>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, DbError> {
        Self::in_memory_of(name, &MemorySchema::new(name, migrations)?, fates, clock, ids)
    }

    /// The same with a copy of a schema that was made before.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn in_memory_of(
        name: &'static str,
        schema: &MemorySchema,
        fates: Arc<dyn CommitFates>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Result<Self, DbError> {
        let counters = Arc::new(Counters::default());
        let memory = MemoryDb::open(name, schema, fates, Arc::clone(&counters), Arc::clone(&clock))?;
        Ok(Self { name, engine: Engine::Memory(memory), clock, ids, counters })
    }

    /// Takes the database for this process alone, as long as the answer lives. `None`: another process has it. A SQLite
    /// file is kept by a lock on its folder instead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self) -> Result<Option<ExclusiveUse>, DbError> {
        match &self.engine {
            Engine::Sqlite(_) | Engine::Memory(_) => Ok(Some(ExclusiveUse::nothing_to_hold())),
            Engine::Postgres(postgres) => postgres.claim(self.name).await,
        }
    }

    /// Follows the inserts into one of its tables by the log, from where a follower before came to. Only PostgreSQL can.
    ///
    /// # Errors
    /// Says whether it can ever work, and whether another process follows now.
    pub async fn tail(&self, table: &'static str) -> Result<Tail, TailError> {
        match &self.engine {
            Engine::Sqlite(_) | Engine::Memory(_) => {
                Err(TailError::NotOffered("SQLite has no log to follow; use --relay polling".to_owned()))
            }
            Engine::Postgres(postgres) => postgres.tail(table).await,
        }
    }

    /// Lets go of what the server keeps for a follower of the log, when nobody follows it now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_tail(&self) -> Result<(), DbError> {
        match &self.engine {
            Engine::Sqlite(_) | Engine::Memory(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.forget_tail().await,
        }
    }

    /// How many bytes of its log the server keeps for a follower; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tail_lag(&self) -> Result<Option<i64>, DbError> {
        match &self.engine {
            Engine::Sqlite(_) | Engine::Memory(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.tail_lag().await,
        }
    }

    /// Which engine it has.
    #[must_use]
    pub const fn engine(&self) -> EngineKind {
        match &self.engine {
            Engine::Sqlite(_) | Engine::Memory(_) => EngineKind::Sqlite,
            Engine::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// Whether it may lose commits that it has answered while this process goes on: a server that crashes apart from it, and that
    /// answers before a commit is on the disk ([`Durability::Process`]).
    #[must_use]
    pub const fn may_forget(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(_) | Engine::Memory(_) => false,
            Engine::Postgres(postgres) => postgres.may_forget(),
        }
    }

    /// The database's name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it was asked to do so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The present moment by this database's clock.
    #[must_use]
    pub fn now(&self) -> UtcMicros {
        self.clock.now()
    }

    /// An id that was never used before.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        self.ids.next()
    }

    /// Runs a unit of work. `Ok` means that its effects are durable; an `Err` from `work` undoes them.
    ///
    /// On SQLite, units of work that wait at the same time commit together, each behind its own savepoint.
    ///
    /// # Errors
    /// The unit of work's own error, or the database's.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.write_then(work, |_| {}).await
    }

    /// Like [`Db::write`], and calls `after` once the effects are durable, before the caller hears of it. On SQLite the
    /// calls come in the order of the units of work; other engines promise no order.
    ///
    /// # Errors
    /// The unit of work's own error, or the database's.
    pub async fn write_then<T, E, F, A>(&self, work: F, after: A) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        A: FnOnce(&mut T) + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write_then(work, after).await,
            Engine::Postgres(postgres) => postgres.write_then(Arc::clone(&self.counters), work, after).await,
            Engine::Memory(memory) => memory.write_then(&self.counters, work, after),
        }
    }

    /// Reads every row of a query outside any unit of work. The query bounds how many there are.
    ///
    /// # Errors
    /// When the engine refuses it or a row is not an `R`.
    pub async fn all<R: Record>(&self, statement: Statement) -> Result<Vec<R>, DbError> {
        self.counters.count_statement();
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.all(statement).await,
            Engine::Postgres(postgres) => postgres.all(statement).await,
            Engine::Memory(memory) => memory.all(&statement),
        }
    }

    /// Reads one row or none outside any unit of work.
    ///
    /// # Errors
    /// When the engine refuses it or the row is not an `R`.
    pub async fn optional<R: Record>(&self, statement: Statement) -> Result<Option<R>, DbError> {
        Ok(self.all(statement).await?.pop())
    }

    /// Whether it answers now.
    pub async fn is_there(&self) -> bool {
        self.all::<(i64,)>(sql("select 1")).await.is_ok()
    }

    /// Finishes what is queued and closes every connection.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close(),
            Engine::Memory(_) => {}
        }
    }
}
