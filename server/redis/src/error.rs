//! Why Redis did not do what it was asked.

use redis::{ErrorKind, RedisError as ClientError, ServerErrorKind};

/// What went wrong, as whoever asked must tell it apart. No text holds a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedisError {
    /// The address or the prefix cannot be used.
    #[error("the settings for Redis cannot be used: {0}")]
    Settings(String),
    /// No connection, or no answer in time; nothing is known of what was carried out.
    #[error("Redis at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Host, port and database.
        address: String,
        /// What the connection said.
        reason: String,
    },
    /// The password or the user is wrong or missing, or the user lacks a right.
    #[error("Redis at {address} refuses this user or password: {reason}")]
    Denied {
        /// Host, port and database.
        address: String,
        /// What Redis said.
        reason: String,
    },
    /// Redis is there and did not carry out the command: out of memory, still loading, not the primary, and the like.
    #[error("Redis at {address} refuses a command: {reason}")]
    Refused {
        /// Host, port and database.
        address: String,
        /// What Redis said.
        reason: String,
    },
}

impl RedisError {
    /// Sorts an error of the client library.
    pub(crate) fn new(address: &str, error: &ClientError) -> Self {
        let (address, reason) = (address.to_owned(), error.to_string());
        let denied = matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
            || error.kind() == ErrorKind::AuthenticationFailed
            || ["NOAUTH", "WRONGPASS", "uthentication failed"].iter().any(|sign| reason.contains(sign));
        match error.kind() {
            _ if denied => Self::Denied { address, reason },
            ErrorKind::InvalidClientConfig => Self::Settings(reason),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused { address, reason },
            _ => Self::Unreachable { address, reason },
        }
    }

    pub(crate) fn late(address: &str) -> Self {
        Self::Unreachable { address: address.to_owned(), reason: "no answer in time".to_owned() }
    }
}

/// Whether the connection is of no more use: it broke, or leads to a server that is no longer the primary.
pub(crate) fn is_lost(error: &ClientError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => {
            matches!(kind, ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::ClusterDown)
        }
        ErrorKind::Extension => false,
        _ => true,
    }
}
