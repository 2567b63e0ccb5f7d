//! Books a trip: hotel and car at once, then the flight, from which there is no way back; then the ticket.
//!
//! The agency keeps the saga in a database of its own; hotels, cars and flights are participants, each with a database of its
//! own. They meet in messages alone. Read [`saga`] first, then [`agent`], then [`desk`]. No test and no desk of orders is in here.

pub mod agent;
pub mod desk;
pub mod saga;
