//! Sagas: business transactions over several databases, as local transactions with compensations.
//!
//! A saga is declared as data ([`define`]): `compensatable* pivot? retriable*`, and another order does not compile. The
//! pure [`transition`] says what comes next; the [`Orchestrator`] carries it out inside a unit of work: it performs local
//! steps there and then, sends commands to remote participants and matches each reply to the command it answers.
//! Instance, version and an append-only log lie in the orchestrating service's own database.
//!
//! ```
//! use tramline_sagas::{Command, define, step};
//! use uuid::Uuid;
//!
//! struct Trip { id: Uuid }
//! fn command(kind: &'static str, trip: &Trip) -> Command { Command::new(kind, trip.id, &trip.id) }
//!
//! let trip = define::<Trip>("BookTrip")
//!     .compensatable(step("book-hotel").at("hotels").does(|trip| command("BookHotel", trip)).undone_by(|trip| command("CancelHotel", trip)))
//!     .pivot(step("book-flight").at("flights").does(|trip| command("BookFlight", trip)))
//!     .retriable(step("send-ticket").locally().does(|trip| command("SendTicket", trip)))
//!     .build();
//! assert_eq!(trip.steps().len(), 3);
//! ```
//!
//! A step with nothing to undo it is no compensatable step:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip").compensatable(step("book-hotel").at("hotels").does(command)).build();
//! ```
//! Nothing compensatable comes after the pivot:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip")
//!     .pivot(step("book-flight").at("flights").does(command))
//!     .compensatable(step("book-hotel").at("hotels").does(command).undone_by(command))
//!     .build();
//! ```
//! Nor after a retriable step:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip")
//!     .retriable(step("send-ticket").locally().does(command))
//!     .compensatable(step("book-hotel").at("hotels").does(command).undone_by(command))
//!     .build();
//! ```
//! There is one point of no return:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip")
//!     .pivot(step("book-flight").at("flights").does(command))
//!     .pivot(step("book-car").at("cars").does(command))
//!     .build();
//! ```
//! And what comes after it is never undone:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip").retriable(step("send-ticket").locally().does(command).undone_by(command)).build();
//! ```
//!
//! Sources: Garcia-Molina and Salem, *Sagas* (SIGMOD 1987); Richardson, *Microservices Patterns*, chapter 4.
//! This crate knows no domain.

mod command;
mod definition;
mod instance;
mod orchestrator;
mod query;
mod schema;
mod transition;

pub use command::{Command, Reply, reply_to};
pub use definition::{Category, Definition, Destination, Step, define, step};
pub use orchestrator::{Orchestrator, Participant, ReplyHandler};
pub use query::{InstanceFilter, InstanceView, LogEntry, StepView, count_open, find_instance, list_instances};
pub use schema::MIGRATIONS;
pub use transition::{Event, Next, Phase, Shape, transition};
