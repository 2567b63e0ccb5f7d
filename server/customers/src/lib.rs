//! The customers service: event-sourced credit accounts with a database of its own.
//!
//! It creates customers, changes their limits and records their payments over HTTP, and reserves, changes and releases
//! credit on command. The decision is pure ([`account`]); events and their messages commit together. It knows orders only by their ids, and no other service at all.

mod account;
#[cfg(test)]
mod account_tests;
mod bodies;
mod choreography;
mod commands;
mod credit;
mod event;
mod export;
pub mod invariants;
mod ledger;
mod operations;
mod publish;
mod reservation;
mod routes;
mod schema;
mod service;

pub use account::Account;
pub use bodies::{bodies, turn_bodies};
pub use choreography::{OrderEventHandler, is_our_turn};
pub use commands::CommandHandler;
pub use event::AccountEvent;
pub use ledger::Payment;
pub use operations::Operation;
pub use routes::routes;
pub use schema::migrations;
pub use service::{Creation, Customers};

/// The consumer group of this service.
pub const GROUP: &str = "customers";
/// The consumer group of its turns in sagas that nobody leads.
pub const CHOREOGRAPHY_GROUP: &str = "customers-choreography";
