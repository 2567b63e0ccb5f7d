//! Messages between services that each own their database: the transactional outbox and what carries it.
//!
//! A [`UnitOfWork`] changes state and appends messages in one transaction. Each message gets the next number of its
//! stream there, so a stream has no gaps and its order is the order of commits. A [`Relay`] publishes the outbox to a
//! [`Broker`]; a [`Consumer`] reads the broker and moves its offset in the same transaction as the effects. The
//! transport is at least once, the effects are exactly once. The database is the only truth: the broker is a cache.
//!
//! Patterns: *Transactional outbox*, *Polling publisher*, *Idempotent consumer* (Richardson, Microservices Patterns).
//! This crate knows no domain: a key and a payload are all that it sees.

mod broker;
mod consumer;
mod effects;
mod embedded;
mod handler;
pub mod invariants;
mod lease;
mod message;
mod outage;
mod outbox;
mod ownership;
mod parking;
mod redis;
mod relay;
mod replay;
mod schema;

pub use broker::{Broker, BrokerError, Publication, Published, Subscription};
pub use consumer::Consumer;
pub use effects::{Effects, Move, Transactional, Unhandled};
pub use embedded::EmbeddedBroker;
pub use handler::{Handler, HandlerError};
pub use message::{Batch, Channel, Headers, Message, Position, Record, StreamId, partition_of};
pub use outbox::{Messaging, UnitOfWork};
pub use ownership::{Appetite, Epochs, LEASE, Ownership, Sharing};
pub use parking::{
    AuditEntry, Bodies, BodySchema, By, DryRun, Inspected, MendError, Parked, ParkedKey, ParkedKind, ParkedMessage,
    ParkingLot, Replay, ReplayFailure, Replayed, Retried, Skipped, Turn,
};
pub use redis::RedisBroker;
pub use relay::{LogRelay, RELAY_TASK, Relay, SteppedRelay};
pub use replay::{forget_offsets, outbox_heads, read_outbox, take_over_offsets};
pub use schema::MIGRATIONS;

/// Partitions of every channel. Fixed when a database is made: the keys of a stream may not move to another.
pub const PARTITIONS: u16 = 16;

/// The example of the page for strangers compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
