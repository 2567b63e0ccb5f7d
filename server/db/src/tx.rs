//! A transaction in progress.

use crate::{Clock, Counters, DbError, EngineKind, Record, Row, Statement, UtcMicros, postgres::Session, sql, sqlite};
use std::sync::Arc;

/// A transaction of whichever engine the database has. Only the owner of the unit of work commits it.
///
/// Its methods are async because an engine on another machine makes them wait. SQLite answers at once. After a statement
/// that failed the unit of work must fail too: PostgreSQL takes no further statement.
#[derive(Debug)]
pub struct Tx {
    engine: Engine,
    counters: Arc<Counters>,
    /// Of a database in memory, whose time is whatever its simulation says.
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(Session),
}

impl Tx {
    pub(crate) const fn sqlite(connection: rusqlite::Connection, counters: Arc<Counters>) -> Self {
        Self { engine: Engine::Sqlite(connection), counters, clock: None }
    }

    pub(crate) const fn postgres(session: Session, counters: Arc<Counters>) -> Self {
        Self { engine: Engine::Postgres(session), counters, clock: None }
    }

    pub(crate) fn in_memory(connection: rusqlite::Connection, counters: Arc<Counters>, clock: Arc<dyn Clock>) -> Self {
        Self { engine: Engine::Sqlite(connection), counters, clock: Some(clock) }
    }

    /// Which engine it runs on.
    #[must_use]
    pub const fn engine(&self) -> EngineKind {
        match &self.engine {
            Engine::Sqlite(_) => EngineKind::Sqlite,
            Engine::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, DbError> {
        self.counters.count_statement();
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::execute(connection, &statement),
            Engine::Postgres(session) => session.execute(&statement, &self.counters).await,
        }
    }

    /// Runs a query and reads every row. The query bounds how many there are.
    ///
    /// # Errors
    /// When the engine refuses it or a row is not an `R`.
    pub async fn all<R: Record>(&mut self, statement: Statement) -> Result<Vec<R>, DbError> {
        self.counters.count_statement();
        match &mut self.engine {
            Engine::Sqlite(connection) => sqlite::all(connection, &statement),
            Engine::Postgres(session) => {
                let rows = session.rows(&statement, &self.counters).await?;
                rows.iter().map(|row| R::read(&Row::postgres(row))).collect()
            }
        }
    }

    /// Runs a query that finds one row or none.
    ///
    /// # Errors
    /// When the engine refuses it or the row is not an `R`.
    pub async fn optional<R: Record>(&mut self, statement: Statement) -> Result<Option<R>, DbError> {
        Ok(self.all(statement).await?.pop())
    }

    /// The present moment by the database's own clock: the one that all of its users share, for leases.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn database_now(&mut self) -> Result<UtcMicros, DbError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let text = match &self.engine {
            Engine::Sqlite(_) => "select cast(unixepoch('subsec') * 1000000 as integer)",
            Engine::Postgres(_) => "select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)",
        };
        let row: Option<(i64,)> = self.optional(sql(text)).await?;
        Ok(UtcMicros(row.map_or(0, |(now,)| now)))
    }

    /// Runs a query where nothing waits: on SQLite.
    pub(crate) fn all_at_once<R: Record>(&self, statement: &Statement) -> Result<Vec<R>, DbError> {
        match &self.engine {
            Engine::Sqlite(connection) => sqlite::all(connection, statement),
            Engine::Postgres(_) => Err(DbError::Abandoned),
        }
    }

    /// Runs a statement that steers a SQLite transaction: begin, savepoint, commit.
    pub(crate) fn control(&mut self, text: &'static str) -> Result<(), DbError> {
        self.counters.count_statement();
        match &self.engine {
            Engine::Sqlite(connection) => {
                connection.prepare_cached(text)?.execute([])?;
                Ok(())
            }
            Engine::Postgres(_) => Err(DbError::Abandoned),
        }
    }

    /// Commits a PostgreSQL transaction.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
        match self.engine {
            Engine::Postgres(session) => session.commit(&self.counters).await,
            Engine::Sqlite(_) => Err(DbError::Abandoned),
        }
    }

    /// Undoes a PostgreSQL transaction.
    pub(crate) async fn roll_back(self) {
        if let Engine::Postgres(session) = self.engine {
            session.roll_back().await;
        }
    }
}
