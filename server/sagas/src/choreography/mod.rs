//! Choreography: sagas that nobody leads. Each service acts on the events of the others.
//!
//! The course of such a saga stands nowhere in the code of one service, so it is declared apart from it: a [`Protocol`] says who
//! tells what after which event. Services ask it what they owe ([`Protocol::owed`]), and one of them holds every event that it
//! sees against it; an event that is not in the protocol is a [`Departure`], which is shown and not passed over.
//!
//! Source: Richardson, *Microservices Patterns*, chapter 4.2.1. It must not know how events are carried.

mod conversation;
mod protocol;

pub use conversation::{Told, begin, observe};
pub use protocol::{Departure, Progress, Protocol, Turn, protocol, turn};
