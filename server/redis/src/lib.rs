//! Redis as the broker and the view see it: settings, connections, scripts and messages that are not kept.
//!
//! This is the only crate that names the client library. It knows no key but the prefix, and no meaning of any: whoever
//! uses it says which commands to run. Commands that write should bear repetition: a command that was not answered in
//! time may have been carried out all the same.

mod connection;
mod error;
mod listener;
mod script;
mod settings;

pub use connection::{Dedicated, Redis};
pub use error::RedisError;
pub use listener::{Listener, Published};
/// A command with its arguments: `Command::new().arg("HGET").arg(key).arg("head")`.
pub use redis::Cmd as Command;
/// What a command is answered with.
pub use redis::Value;
pub use script::{Call, Script};
pub use settings::RedisSettings;

/// The example of the page for strangers compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
