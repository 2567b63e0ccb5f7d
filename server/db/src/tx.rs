//! A transaction in progress.

use crate::{Counters, DbError, Record, Statement, sqlite};
use std::sync::Arc;

/// A transaction of whichever engine the database has. Only the owner of the unit of work commits it.
///
/// Its methods are async because an engine on another machine makes them wait. SQLite answers at once.
#[derive(Debug)]
pub struct Tx {
    engine: Engine,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(rusqlite::Connection),
}

impl Tx {
    pub(crate) const fn sqlite(connection: rusqlite::Connection, counters: Arc<Counters>) -> Self {
        Self { engine: Engine::Sqlite(connection), counters }
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// When the engine refuses it.
    #[expect(clippy::unused_async, reason = "an engine on another machine waits here")]
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, DbError> {
        self.counters.count_statement();
        match &self.engine {
            Engine::Sqlite(connection) => sqlite::execute(connection, &statement),
        }
    }

    /// Runs a query and reads every row. The query bounds how many there are.
    ///
    /// # Errors
    /// When the engine refuses it or a row is not an `R`.
    #[expect(clippy::unused_async, reason = "an engine on another machine waits here")]
    pub async fn all<R: Record>(&mut self, statement: Statement) -> Result<Vec<R>, DbError> {
        self.counters.count_statement();
        match &self.engine {
            Engine::Sqlite(connection) => sqlite::all(connection, &statement),
        }
    }

    /// Runs a query that finds one row or none.
    ///
    /// # Errors
    /// When the engine refuses it or the row is not an `R`.
    pub async fn optional<R: Record>(&mut self, statement: Statement) -> Result<Option<R>, DbError> {
        Ok(self.all(statement).await?.pop())
    }

    /// Runs a statement that steers the transaction itself: begin, savepoint, commit.
    pub(crate) fn control(&mut self, text: &'static str) -> Result<(), DbError> {
        self.counters.count_statement();
        match &self.engine {
            Engine::Sqlite(connection) => {
                connection.prepare_cached(text)?.execute([])?;
                Ok(())
            }
        }
    }
}
