//! The order history: a CQRS view of customers and orders, kept up to date by their events.
//!
//! It owns no truth. Each document is the newest state that an event carried, so events may come twice and in any
//! order and lead to the same view. The file can be deleted at any time: the events fill it again.

mod cursor;
mod feed;
mod invariants;
mod projection;
mod queries;
mod routes;
mod schema;
mod store;
mod view;

pub use feed::Feed;
pub use invariants::{ViewCustomer, ViewOrder, read_view};
pub use projection::{Changes, project};
pub use routes::routes;
pub use schema::migrations;
pub use view::{History, Projector};

/// The consumer group of this service.
pub const GROUP: &str = "order-history";
