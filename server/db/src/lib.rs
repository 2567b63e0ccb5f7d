//! The database under every store: one [`Db`] to read and write, whatever engine is behind it.
//!
//! A unit of work is a closure over a [`Tx`]; its statements commit together or not at all. One SQL text with `$1`
//! placeholders serves every engine ([`Statement`]): SQLite, the embedded default, and PostgreSQL. Time and ids come from
//! here ([`Clock`], [`IdSource`]) so that nothing else reads them from the surroundings. This crate knows nothing of messages, sagas or any domain.

mod clock;
mod database;
mod dialect;
mod error;
mod memory;
mod migration;
mod postgres;
mod row;
mod sqlite;
mod statement;
mod tail;
mod tx;

pub use clock::{Clock, IdSource, SystemClock, SystemIds, UtcMicros};
pub use database::{Address, Counters, Db, EngineKind};
pub use error::DbError;
pub use memory::{CommitFate, CommitFates, EveryCommitStands, MemorySchema};
pub use migration::Migration;
pub use postgres::ExclusiveUse;
pub use row::{Column, Record, Row};
pub use sqlite::{Durability, GROUP_COMMIT_MAX};
pub use statement::{Statement, Value, sql};
pub use tail::{LogPosition, LoggedRow, Tail, TailError, Tailed};
pub use tx::Tx;

/// A boxed future that may be sent between threads.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;

/// The example of the page for strangers compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
