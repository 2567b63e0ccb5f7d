//! The pure view model of the order desk: a message in, the model changed and effects out.
//!
//! What the page shows is `confirmed + pending`: the documents that the server told us, and the commands that it has not confirmed
//! yet. The server's data is never written over a guess, and a guess never over the server's data. It must not know leptos, the
//! network, storage, a clock or a source of chance: time and ids come as arguments, everything else leaves as an [`Effect`].
//!
//! - [`update`] and [`Msg`]: what happened; [`next_wake`]: when to tick.
//! - [`connection`], [`feed`]: the socket's life, and how far its frames have been applied.
//! - [`confirmed`], [`pending`]: documents with `have` and `known` versions, and commands on their way.
//! - [`index`], [`listing`]: rows kept in order one by one, and the walk through a list's pages.
//! - [`view`]: what pages show, as plain data.

pub mod announcer;
mod apply;
pub mod ask;
pub mod change;
pub mod changes;
pub mod command;
pub mod confirmed;
pub mod connection;
pub mod draft;
mod effect;
pub mod feed;
pub mod filter;
pub mod hash;
pub mod index;
pub mod journal;
pub mod listing;
mod message;
mod model;
pub mod pending;
mod reading;
pub mod route;
pub mod sample;
pub mod settings;
mod submit;
pub mod text;
pub mod time;
mod update;
pub mod view;

#[cfg(test)]
mod change_stories;
#[cfg(test)]
mod change_stories_in_any_order;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod stories_in_any_order;

pub use effect::Effect;
pub use message::Msg;
pub use model::{CustomerList, Model, OrderList};
pub use route::Route;
pub use time::{Millis, Now};
pub use update::{next_wake, update};
