//! What can go wrong with a database.

use rusqlite::ErrorCode;
use std::error::Error as _;
use tokio_postgres::error::SqlState;

/// What PostgreSQL says when the same transaction may succeed in a moment: it starts, stops or is full, or others were first.
const PASSING: [SqlState; 8] = [
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
];

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
    /// Whether the same may succeed in a moment: no session in time, a lost connection, a lock that others hold. When a
    /// connection was lost during a commit, nobody knows whether it took place, so only what may be repeated may be tried
    /// again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Postgres(error) => match error.code() {
                Some(code) => PASSING.contains(code),
                None => error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>()),
            },
            Self::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            Self::Address(_)
            | Self::NewerSchema { .. }
            | Self::Abandoned
            | Self::NotCommitted(_)
            | Self::Corrupt { .. } => false,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_not_there_may_come_back_and_a_mistake_stays_one() {
        let gone = tokio_postgres::connect("postgres://x@127.0.0.1:1/x", tokio_postgres::NoTls).await.err();
        assert!(DbError::Postgres(gone.expect("nobody listens")).may_pass());
        assert!(DbError::Unreachable("no session".to_owned()).may_pass());
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        assert!(DbError::Sqlite(rusqlite::Error::SqliteFailure(busy, None)).may_pass());
        assert!(!DbError::Sqlite(rusqlite::Error::InvalidQuery).may_pass());
        assert!(!DbError::Abandoned.may_pass());
    }
}
