//! The customers service: event-sourced credit accounts with a database of its own.
//!
//! It creates customers over HTTP and reserves credit on command. The decision is pure ([`account`]); events and their
//! messages commit together. It knows orders only by their ids, and no other service at all.

mod account;
mod commands;
pub mod invariants;
mod publish;
mod reservation;
mod routes;
mod schema;
mod service;

pub use account::{Account, AccountEvent};
pub use commands::CommandHandler;
pub use routes::routes;
pub use schema::migrations;
pub use service::Customers;

/// The consumer group of this service.
pub const GROUP: &str = "customers";
