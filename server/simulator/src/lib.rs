//! A deterministic simulator: real handlers, real transactions, and every fault that a seed can think of.
//!
//! A [`World`] is services with their databases in memory, their consumer groups and what clients ask. [`Campaign`] runs it
//! again and again. In each run, chance decides who acts next on a single thread: a relay publishes, a consumer reads or brings
//! to effect what it has read, a client asks. Chance also has processes die before and after any commit, leases end unnoticed, the
//! broker lose records or its answer, and messages come again. After every commit the world says whether all is well. A run that
//! fails is shrunk and told step by step; its seed repeats it.
//!
//! Real are: the statements, units of work, outbox, offsets with their epochs, what a relay decides, and all of the world's own
//! handlers. Simulated are: the broker, the loops around relay and consumer, who holds a lease, and time.
//!
//! Source: deterministic simulation as in FoundationDB (Zhou et al., SIGMOD 2021). This crate knows no domain.

mod campaign;
mod carrier;
mod chance;
mod effects;
mod roles;
mod schedule;
mod shrink;
mod simulation;
mod stage;
mod witness;
mod world;

pub use campaign::{Campaign, Failure, Report, Until};
pub use chance::Chance;
pub use effects::Group;
pub use stage::Stage;
pub use world::{Flaw, RARE, World, Wrongs};
