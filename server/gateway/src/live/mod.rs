//! The socket `GET /api/live`: one reader follows the feed, a bounded history keeps it, and each socket is sent what came
//! after its own place, so that a client which comes back misses nothing and sees nothing twice.

mod hub;
mod reader;
mod ring;
mod session;

pub(crate) use hub::Hub;
pub(crate) use reader::read_feed;
pub use session::Pace;
pub(crate) use session::{converse, upgrade};
