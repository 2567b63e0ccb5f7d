//! Compensations that fail: tried again, then a person looks.

use crate::world::{TRIP, World};
use std::{sync::atomic::Ordering, time::Duration};
use tramline_sagas::{COMPENSATION_ATTEMPTS, InstanceFilter, Phase, Retried, count_troubled, list_instances};

/// Longer than any wait between two tries of a compensation.
const LONG: Duration = Duration::from_mins(3);

async fn with_cancellation_refused() -> World {
    let world = World::with_trip(false).await;
    world.answer("BookHotel", true).await;
    world.answer("BookFlight", false).await;
    world.answer("CancelHotel", false).await;
    world
}

#[tokio::test]
async fn a_refused_compensation_goes_out_anew_after_a_while() {
    let world = with_cancellation_refused().await;
    let first = world.command("CancelHotel").await;
    assert_eq!((world.look().await, world.phase().await), (0, Phase::Compensating(1)));
    world.wait(LONG);
    let world = world.restart().await;
    assert_eq!(world.look().await, 1);
    let second = world.command("CancelHotel").await;
    assert_ne!(first, second, "asked the same again, the hotel would repeat its answer");
    world.answer_to(first, true).await;
    assert_eq!(world.phase().await, Phase::Compensating(1), "that was an answer to the first");
    world.answer_to(second, true).await;
    assert_eq!(world.phase().await, Phase::RolledBack);
}

#[tokio::test]
async fn a_compensation_that_is_refused_too_often_parks_the_saga_until_a_person_has_it_tried_again() {
    let world = with_cancellation_refused().await;
    for _ in 1..COMPENSATION_ATTEMPTS {
        assert_eq!(world.phase().await, Phase::Compensating(1));
        assert_eq!(world.retry().await, Retried::NotParked);
        world.wait(LONG);
        world.look().await;
        world.answer("CancelHotel", false).await;
    }
    assert_eq!(world.phase().await, Phase::Parked(1));
    world.wait(Duration::from_hours(1));
    assert_eq!(world.look().await, 0, "it waits for a person");
    assert_eq!(count_troubled(world.messaging.db(), 10).await.expect("it counts"), (1, 0));
    let filter = InstanceFilter { phase: Some("PARKED".to_owned()), ..InstanceFilter::default() };
    let parked = list_instances(world.messaging.db(), filter, 10).await.expect("it lists");
    assert_eq!(parked.iter().map(|run| run.id).collect::<Vec<_>>(), [TRIP]);
    let world = world.restart().await;
    assert_eq!(world.retry().await, Retried::Resumed);
    let (_, log) = world.found().await;
    let audit = log.iter().find(|entry| entry.kind == "operator").expect("it is written down");
    assert_eq!(audit.payload, r#"{"step":"hotel","who":"Ada","why":"the hotel was called"}"#);
    world.answer("CancelHotel", true).await;
    assert_eq!(world.phase().await, Phase::RolledBack);
}

#[tokio::test]
async fn a_local_compensation_that_fails_leaves_the_answer_taken_and_is_tried_again() {
    let world = World::with_trip(false).await;
    world.desk.books_are_locked.store(true, Ordering::SeqCst);
    world.answer("BookHotel", false).await;
    assert_eq!(world.phase().await, Phase::Compensating(0));
    world.wait(LONG);
    world.look().await;
    assert_eq!(world.phase().await, Phase::Compensating(0));
    world.desk.books_are_locked.store(false, Ordering::SeqCst);
    world.wait(LONG);
    world.look().await;
    assert_eq!(world.phase().await, Phase::RolledBack);
}

#[tokio::test]
async fn a_saga_that_is_not_parked_is_not_tried_again() {
    let world = World::with_trip(false).await;
    assert_eq!(world.retry().await, Retried::NotParked);
    assert_eq!(world.logged("operator").await, 0);
}
