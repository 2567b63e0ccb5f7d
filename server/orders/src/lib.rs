//! The orders service: orders as state with a transactional outbox, and the sagas that decide them.
//!
//! Placing an order, starting its saga and sending the first command commit together. Every rule about an order is in the
//! pure [`order`] module. It reaches customers only by commands and replies.

mod admission;
mod create_order;
pub mod invariants;
mod order;
mod participant;
mod queries;
mod replies;
mod routes;
mod saga_routes;
mod schema;
mod service;
mod store;

pub use admission::Capacity;
pub use order::{Order, Refusal};
pub use replies::ReplyRouter;
pub use routes::routes;
pub use schema::migrations;
pub use service::Orders;

/// The consumer group of this service.
pub const GROUP: &str = "orders";
