//! A transaction in progress.

use crate::{Counters, DbError, Record, Statement};
use sqlx::{Executor as _, SqliteConnection};
use std::sync::Arc;

/// A transaction of whichever engine the database has. Only the owner of the unit of work commits it; dropping it undoes it.
#[derive(Debug)]
pub struct Tx {
    engine: Engine,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Box<SqliteConnection>),
}

impl Tx {
    pub(crate) fn sqlite(connection: SqliteConnection, counters: Arc<Counters>) -> Self {
        Self { engine: Engine::Sqlite(Box::new(connection)), counters }
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64, DbError> {
        self.counters.count_statement();
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let text = statement.text;
                let query = sqlx::query_with(text, statement.sqlite_arguments()?);
                Ok(connection.execute(query).await?.rows_affected())
            }
        }
    }

    /// Runs a query and reads every row. The query bounds how many there are.
    ///
    /// # Errors
    /// When the engine refuses it or a row is not an `R`.
    pub async fn all<R: Record>(&mut self, statement: Statement) -> Result<Vec<R>, DbError> {
        self.counters.count_statement();
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                let text = statement.text;
                let query = sqlx::query_as_with(text, statement.sqlite_arguments()?);
                Ok(query.fetch_all(&mut **connection).await?)
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

    /// Runs a statement that steers the transaction itself: begin, savepoint, commit.
    pub(crate) async fn control(&mut self, text: &'static str) -> Result<(), DbError> {
        self.counters.count_statement();
        match &mut self.engine {
            Engine::Sqlite(connection) => {
                // A prepared statement, cached like any other.
                connection.execute(sqlx::query(text)).await?;
                Ok(())
            }
        }
    }
}
