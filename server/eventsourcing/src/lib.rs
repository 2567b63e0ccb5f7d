//! Event sourcing: an aggregate is what its events made of it, and an event is the update and the message at once.
//!
//! [`Aggregate::apply`] is pure. [`EventStore`] loads an aggregate from its newest snapshot and the events after it, and
//! appends under optimistic concurrency: two writers that saw the same version cannot both succeed. Publishing is not
//! this crate's business: the unit of work that appends also sends. It knows no domain.
//!
//! Pattern: *Event sourcing* (Fowler 2005; Richardson, Microservices Patterns, chapter 6).

mod aggregate;
mod schema;
mod store;
pub mod testing;

pub use aggregate::{Aggregate, Event};
pub use schema::MIGRATIONS;
pub use store::{Appended, EventStore, SNAPSHOT_EVERY, StoredEvent};

/// The example of the page for strangers compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
