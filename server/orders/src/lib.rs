//! The orders service: orders as state with a transactional outbox, and the sagas that decide them.
//!
//! Placing, cancelling and revising an order are a saga each. Changing the order, starting the saga and sending its first
//! command commit together. Every rule about an order is in the pure [`order`] module. It reaches customers only by commands
//! and replies.

mod admission;
mod bodies;
mod cancel_order;
mod changes;
mod choreography;
mod create_order;
mod export;
pub mod invariants;
mod notices;
mod order;
#[cfg(test)]
mod order_tests;
mod participant;
mod queries;
#[cfg(test)]
mod rehearsals;
mod replies;
mod revise_order;
mod routes;
pub mod saga_definitions;
mod saga_routes;
mod sagas;
mod schema;
mod service;
mod store;

pub use admission::Capacity;
pub use bodies::{bodies, turn_bodies};
pub use changes::{Change, Changing};
pub use choreography::{CustomerEventHandler, is_our_turn};
pub use order::{Order, Refusal};
pub use replies::ReplyRouter;
pub use routes::routes;
pub use sagas::{definitions, plans};
pub use schema::migrations;
pub use service::{NewOrder, Orders, Placing};

/// The consumer group of this service.
pub const GROUP: &str = "orders";
/// The consumer group of its turns in sagas that nobody leads.
pub const CHOREOGRAPHY_GROUP: &str = "orders-choreography";
