//! What can go wrong with a database.

/// A failure of the database or of reaching it: infrastructure, never a refusal by the domain.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// SQLite refused a statement or a file.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL refused a statement, or the session broke.
    #[error("the database failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// The address does not read.
    #[error("not the address of a database: {0}")]
    Address(String),
    /// No session could be had in time.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The schema was made by a newer program.
    #[error("{database} was written by a newer version of this program; start that version, or restore a backup")]
    NewerSchema {
        /// The database's name.
        database: String,
    },
    /// The unit of work panicked, waited for something outside the database, or the database is shutting down; nothing
    /// of it was kept.
    #[error("the unit of work was abandoned")]
    Abandoned,
    /// The transaction that the unit of work shared could not commit; nothing of it was kept.
    #[error("the transaction could not commit: {0}")]
    NotCommitted(String),
    /// What is stored does not read as what it should be.
    #[error("stored data does not read as {what}")]
    Corrupt {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DbError {
    /// Wraps a decoding failure of stored data.
    pub fn corrupt(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Corrupt { what, source: source.into() }
    }

    /// A statement whose placeholders and values do not match: a mistake in the program.
    pub(crate) fn unbound(text: &str) -> Self {
        Self::corrupt("a statement of this program", format!("its values do not match its placeholders: {text}"))
    }
}

impl From<deadpool_postgres::PoolError> for DbError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => Self::Postgres(error),
            other => Self::Unreachable(other.to_string()),
        }
    }
}
