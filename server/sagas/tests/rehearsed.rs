//! The rehearsal on trips: one that passes, and ones that it must find wanting.

use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tramline_db::BoxFuture;
use tramline_messaging::{HandlerError, UnitOfWork};
use tramline_sagas::{
    Command, Definition, Participant, Phase, Reply, define, step,
    testing::{Rehearsal, Stage},
};
use uuid::Uuid;

#[derive(Clone, Serialize, Deserialize)]
struct Trip {
    id: Uuid,
}

fn trip() -> Trip {
    Trip { id: Uuid::from_u128(7) }
}

fn command(kind: &'static str, trip: &Trip) -> Command {
    Command::new(kind, trip.id, &trip.id)
}

/// Hotel and car at once, then the flight.
fn definition() -> Definition<Trip> {
    define::<Trip>("BookTrip")
        .compensatable(
            step("note").locally().does(|trip| command("NoteTrip", trip)).undone_by(|trip| command("DropTrip", trip)),
        )
        .parallel([
            step("hotel")
                .at("hotels")
                .does(|trip| command("BookHotel", trip))
                .undone_by(|trip| command("CancelHotel", trip)),
            step("car").at("cars").does(|trip| command("BookCar", trip)).undone_by(|trip| command("CancelCar", trip)),
        ])
        .pivot(step("flight").at("flights").does(|trip| command("BookFlight", trip)))
        .retriable(step("close").locally().does(|trip| command("CloseTrip", trip)))
        .build()
}

#[tokio::test]
async fn a_trip_is_rehearsed_once_as_it_should_go_and_once_for_each_step_that_may_be_refused() {
    let runs = Rehearsal::of(definition, trip).run().await;
    let refused: Vec<_> = runs.into_iter().map(|run| run.refused).collect();
    assert_eq!(refused, [None, Some("note"), Some("hotel"), Some("car"), Some("flight")]);
}

#[tokio::test]
async fn replies_of_steps_at_once_are_expected_in_any_sequence() {
    let mut stage = Stage::of(definition()).begins(trip()).await;
    stage.expects("BookCar").await.is_refused("NoCarLeft", &()).await;
    stage.expects("BookHotel").await.is_done("HotelBooked", &7).await;
    stage.expects("CancelHotel").await.is_done("HotelCancelled", &()).await;
    stage.ends(Phase::RolledBack).await;
}

#[tokio::test]
#[should_panic(expected = "CancelHotel is expected, and these wait for an answer: [\"BookHotel\"]")]
async fn a_command_that_does_not_come_fails_the_test() {
    let mut stage = Stage::of(definition()).begins(trip()).await;
    stage.expects("BookCar").await.is_refused("NoCarLeft", &()).await;
    let _ = stage.expects("CancelHotel").await;
}

/// Refuses to drop a trip for the first so many times.
struct Stubborn(AtomicUsize);

impl Participant for Stubborn {
    fn perform<'a>(
        &'a self,
        _: &'a mut UnitOfWork<'_>,
        _: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        Box::pin(async move {
            let refuses = command.kind == "DropTrip" && self.0.fetch_add(1, Ordering::Relaxed) == 0;
            Ok(if refuses { Reply::refused("No", &()) } else { Reply::done("Done", &()) })
        })
    }
}

#[tokio::test]
#[should_panic(expected = "hotel was refused")]
async fn a_participant_that_refuses_a_compensation_fails_the_rehearsal() {
    let stubborn = Arc::new(Stubborn(AtomicUsize::default()));
    Rehearsal::of(definition, trip).performed_by(stubborn, &[]).run().await;
}

fn undoes_the_wrong_thing() -> Definition<Trip> {
    define::<Trip>("BookTrip")
        .compensatable(
            step("hotel")
                .at("hotels")
                .does(|trip| command("BookHotel", trip))
                .undone_by(|trip| command("BookHotel", trip)),
        )
        .build()
}

#[tokio::test]
#[should_panic(expected = "two steps send BookHotel")]
async fn a_compensation_that_is_the_action_itself_fails_the_rehearsal() {
    Rehearsal::of(undoes_the_wrong_thing, trip).run().await;
}
