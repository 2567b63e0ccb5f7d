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
//! Steps run at once, are left out, expire, and tell what needs no answer:
//! ```
//! # use tramline_sagas::{Command, define, step};
//! # struct Trip { nights: u32, with_car: bool }
//! # fn command(kind: &'static str, trip: &Trip) -> Command { Command::new(kind, uuid::Uuid::nil(), &trip.nights) }
//! let trip = define::<Trip>("BookTrip")
//!     .answers_within(std::time::Duration::from_secs(5))
//!     .parallel([
//!         step("book-hotel").at("hotels").does(|trip| command("BookHotel", trip)).undone_by(|trip| command("CancelHotel", trip)),
//!         step("book-car").at("cars").does(|trip| command("BookCar", trip)).undone_by(|trip| command("CancelCar", trip))
//!             .when(|trip: &Trip| trip.with_car),
//!     ])
//!     .pivot(step("book-flight").at("flights").does(|trip| command("BookFlight", trip)).undone_by(|trip| command("CancelFlight", trip))
//!         .gives_up_after(std::time::Duration::from_secs(600)))
//!     .retriable(step("send-ticket").tells("mail").does(|trip| command("SendTicket", trip)))
//!     .build();
//! assert_eq!(trip.steps()[0].group(), trip.steps()[1].group());
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
//! Steps that run at once can all be undone:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip").parallel([step("book-hotel").at("hotels").does(command)]).build();
//! ```
//! What nobody answers comes after the point of no return:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip").pivot(step("send-ticket").tells("mail").does(command)).build();
//! ```
//! Nothing is given up that nothing undoes:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! # let minute = std::time::Duration::from_secs(60);
//! let trip = define::<Trip>("BookTrip").pivot(step("book-flight").at("flights").does(command).gives_up_after(minute)).build();
//! ```
//! And what comes after it is never undone:
//! ```compile_fail
//! # use tramline_sagas::{Command, define, step}; struct Trip; fn command(_: &Trip) -> Command { unreachable!() }
//! let trip = define::<Trip>("BookTrip").retriable(step("send-ticket").locally().does(command).undone_by(command)).build();
//! ```
//!
//! Sources: Garcia-Molina and Salem, *Sagas* (SIGMOD 1987); Richardson, *Microservices Patterns*, chapter 4.
//! This crate knows no domain.

mod awaited;
pub mod choreography;
mod command;
mod deadlines;
mod deferred;
mod definition;
mod history;
mod instance;
pub mod ledger;
pub mod lock;
mod orchestrator;
mod overdue;
mod plan;
mod progress;
mod query;
mod registry;
mod schema;
mod step;
pub mod testing;
mod transition;
mod upgrade;
mod verify;

pub use awaited::COMPENSATION_ATTEMPTS;
pub use command::{Command, Outcome, Reply, reply_to};
pub use deadlines::Deadlines;
pub use deferred::{Deferred, answer_later};
pub use definition::{ANSWER_WAIT, ANSWER_WAIT_MAX, Committed, Compensatable, Definition, define};
pub use orchestrator::{Orchestrator, Participant, ReplyHandler};
pub use overdue::{Operator, Retried, SagaKind};
pub use plan::{Obstacle, Plan, PlannedStep};
pub use progress::{Mark, Progress};
pub use query::{
    InstanceFilter, InstanceView, LogEntry, StepView, count_open, count_troubled, find_instance, list_instances,
    list_overdue,
};
pub use registry::Sagas;
pub use schema::MIGRATIONS;
pub use step::{
    CanBeUndone, Category, Destination, Expiring, Final, IsAnswered, MayDecide, MayFollow, Step, Told, Undoable, step,
};
pub use transition::{Event, Next, Phase, Shape, StepShape, begin, transition};
pub use upgrade::{UpgradeError, Upgrades, upgrades_from};
pub use verify::{EXAMPLES_MAX, Finding, Resumes, Verdict, has_plans, remember_plans, verify};

/// The example of the page for strangers compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
