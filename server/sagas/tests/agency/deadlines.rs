//! Commands and answers that get lost, and hotels that take too long.

use crate::world::{ANSWER, HOTEL_GIVES_UP, World};
use std::time::Duration;
use tramline_sagas::{Phase, count_troubled, list_overdue};

#[tokio::test]
async fn a_command_without_an_answer_goes_out_again_under_its_own_id_across_a_restart() {
    let world = World::with_trip(false).await;
    let first = world.sent().await[0].clone();
    assert_eq!(world.look().await, 0, "its time has not come");
    world.wait(ANSWER);
    let world = world.restart().await;
    assert_eq!(world.look().await, 1);
    assert_eq!(world.sent().await, [first.clone(), first.clone()], "the same command, key and body");
    assert_eq!(world.look().await, 0, "the next wait is longer");
    let overdue = list_overdue(world.messaging.db(), None, 10).await.expect("it lists");
    assert_eq!(overdue.iter().map(|run| (run.id, run.resent)).collect::<Vec<_>>(), [(crate::world::TRIP, 1)]);
    assert_eq!(count_troubled(world.messaging.db(), 10).await.expect("it counts"), (0, 1));
    // Both of the commands are answered: the second answer is late.
    world.answer_to(first.id, true).await;
    world.answer_to(first.id, true).await;
    assert_eq!((world.logged("command-again").await, world.logged("late-reply").await), (1, 1));
    assert_eq!(world.phase().await, Phase::Running(3));
    assert!(list_overdue(world.messaging.db(), None, 10).await.expect("it lists").is_empty());
}

#[tokio::test]
async fn the_waits_double_and_what_must_be_done_is_asked_for_for_ever() {
    let world = World::with_trip(false).await;
    world.answer("BookHotel", true).await;
    let mut waited = Vec::new();
    for _ in 0..3 {
        let mut seconds = 0;
        while world.look().await == 0 {
            world.wait(Duration::from_secs(1));
            seconds += 1;
        }
        waited.push(seconds);
    }
    assert_eq!(waited, [10, 20, 40]);
    world.wait(Duration::from_hours(24));
    assert_eq!(world.look().await, 1);
    world.answer("BookFlight", true).await;
    assert_eq!(world.phase().await, Phase::Completed);
}

#[tokio::test]
async fn only_what_is_unanswered_goes_out_again() {
    let world = World::with_trip(true).await;
    world.answer("BookCar", true).await;
    world.wait(ANSWER);
    world.look().await;
    assert_eq!(world.kinds().await.iter().filter(|kind| *kind == "BookCar").count(), 1);
    assert_eq!(world.kinds().await.iter().filter(|kind| *kind == "BookHotel").count(), 2);
}

#[tokio::test]
async fn what_is_learnt_meanwhile_does_not_change_a_command_that_goes_out_again() {
    let world = World::with_trip(true).await;
    // From here on the data would make another body.
    world.answer("BookCar", true).await;
    world.wait(ANSWER);
    world.look().await;
    let hotels: Vec<_> = world.sent().await.into_iter().filter(|sent| sent.kind == "BookHotel").collect();
    assert_eq!(hotels[0], hotels[1]);
}

#[tokio::test]
async fn a_hotel_that_takes_too_long_is_given_up_and_cancelled() {
    let world = World::with_trip(true).await;
    world.answer("BookCar", true).await;
    world.wait(HOTEL_GIVES_UP);
    world.look().await;
    assert_eq!(world.logged("gave-up").await, 1);
    let mut kinds = world.kinds().await.split_off(2);
    kinds.sort();
    assert_eq!(kinds, ["CancelCar", "CancelHotel"], "nobody knows whether the hotel was booked");
    // It was, and says so now.
    world.answer("BookHotel", true).await;
    assert_eq!(world.logged("late-reply").await, 1);
    world.answer("CancelHotel", true).await;
    world.answer("CancelCar", true).await;
    assert_eq!(world.phase().await, Phase::RolledBack);
    assert_eq!(world.found().await.0.refused_step, Some(1));
}

#[tokio::test]
async fn a_cancellation_is_never_given_up() {
    let world = World::with_trip(false).await;
    world.answer("BookHotel", true).await;
    world.answer("BookFlight", false).await;
    world.wait(Duration::from_hours(24));
    assert_eq!(world.look().await, 1);
    assert_eq!(world.logged("gave-up").await, 0);
    assert_eq!(world.kinds().await, ["BookHotel", "BookFlight", "CancelHotel", "CancelHotel"]);
}

#[tokio::test]
async fn two_workers_that_look_at_once_send_a_command_once() {
    let world = World::with_trip(false).await;
    world.wait(ANSWER);
    let (one, other) = (world.deadlines(), world.deadlines());
    let (one, other) = tokio::join!(one.look(), other.look());
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(world.sent().await.len(), 2);
}
