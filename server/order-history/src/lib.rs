//! The order history: a CQRS view of customers and orders, kept up to date by their events.
//!
//! It owns no truth. Each document is the newest state that an event carried, so events may come twice and in any
//! order and lead to the same view. Its store can be emptied at any time: the events fill it again.
//!
//! The view lies in the service's database or in Redis ([`ViewStore`]). One process writes the former; the latter is shared
//! by any number of processes, each with a part of the partitions.

mod bodies;
mod cursor;
mod document;
mod feed;
mod heal;
mod projection;
mod projector;
mod rebuild;
mod routes;
mod schema;
mod search;
mod store;
mod view;

pub use bodies::EventBodies;
pub use heal::{Aggregate, Healer, Jump, Owners};
pub use projection::{Changes, project};
pub use projector::{Projector, Told};
pub use rebuild::{ViewRebuild, sweep_search, sweep_view};
pub use routes::routes;
pub use schema::migrations;
pub use search::{SEARCH_GROUP, Search, SearchProjector, search_migrations, search_routes};
pub use store::{
    RedisView, SqlView, Swap, ViewCustomer, ViewError, ViewOrder, ViewStore, read_offsets, read_view,
    redis::{Rebuild, RedisProjector},
    sql::SqlProjector,
};
pub use view::History;

/// The consumer group of this service.
pub const GROUP: &str = "order-history";
