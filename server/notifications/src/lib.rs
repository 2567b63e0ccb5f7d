//! The notifications service: tells customers by e-mail what became of their orders.
//!
//! A mail cannot be taken back, so it is the last step of a saga, behind the point of no return, and nobody waits for it. Each is
//! a row first, named by the order's version that it tells of, so a repeated command makes no second one; a sender takes the
//! rows that are due and brings them to a mail server or into files. What is written and what follows from an outcome is pure
//! ([`letter`], [`delivery`]). It knows orders and customers by their ids, and no other service at all.

mod bodies;
mod choreography;
mod commands;
mod delivery;
pub mod invariants;
mod letter;
mod recipients;
mod routes;
mod schema;
mod sender;
mod service;
mod store;
mod transport;

pub use bodies::{bodies, turn_bodies};
pub use choreography::{OrderEventHandler, is_our_turn};
pub use commands::CommandHandler;
pub use recipients::{BadAddress, MailAddresses};
pub use routes::routes;
pub use schema::migrations;
pub use sender::Sender;
pub use service::Notifications;
pub use transport::{BadMailAddress, Files, MailServer, Reception, Rehearsed, Smtp, Transport, TransportError};

/// The consumer group of this service.
pub const GROUP: &str = "notifications";
/// The consumer group of its turns in sagas that nobody leads.
pub const CHOREOGRAPHY_GROUP: &str = "notifications-choreography";
