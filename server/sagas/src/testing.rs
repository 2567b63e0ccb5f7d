//! Tests of sagas: a stage on which every command is expected and answered, and a rehearsal that refuses and repeats each step.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! # use tramline_sagas::{Command, Definition, Phase, define, step, testing::Stage};
//! # use uuid::Uuid;
//! # #[derive(Serialize, Deserialize)] struct Trip { id: Uuid }
//! # fn command(kind: &'static str, trip: &Trip) -> Command { Command::new(kind, trip.id, &trip.id) }
//! # fn book_trip() -> Definition<Trip> {
//! #     define("BookTrip")
//! #         .compensatable(step("hotel").at("hotels").does(|trip| command("BookHotel", trip)).undone_by(|trip| command("CancelHotel", trip)))
//! #         .pivot(step("flight").at("flights").does(|trip| command("BookFlight", trip)))
//! #         .build()
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let mut stage = Stage::of(book_trip()).begins(Trip { id: Uuid::from_u128(1) }).await;
//! stage.expects("BookHotel").await.is_done("HotelBooked", &7).await;
//! stage.expects("BookFlight").await.is_refused("NoSeatLeft", &()).await;
//! stage.expects("CancelHotel").await.is_done("HotelCancelled", &()).await;
//! stage.ends(Phase::RolledBack).await;
//! # });
//! ```
//!
//! All runs on the calling thread over a database in memory, through the real orchestrator. It panics where a test fails, and
//! knows nothing of what the commands do.

mod rehearsal;
mod stage;

pub use rehearsal::{Rehearsal, Rehearsed};
pub use stage::{Expected, Obliging, Stage, StageBuilder};
