//! Hotel and car at once, the car only for those who want one.

use crate::world::World;
use tramline_sagas::Phase;

#[tokio::test]
async fn hotel_and_car_are_asked_at_once_and_their_answers_may_come_in_any_order() {
    for order in [["BookHotel", "BookCar"], ["BookCar", "BookHotel"]] {
        let world = World::with_trip(true).await;
        let mut kinds = world.kinds().await;
        kinds.sort();
        assert_eq!(kinds, ["BookCar", "BookHotel"], "in one unit of work");
        assert_eq!(world.states().await, ["DONE", "RUNNING", "RUNNING", "WAITING", "WAITING", "WAITING"]);
        world.answer(order[0], true).await;
        assert_eq!(world.sent().await.len(), 2, "the flight waits for both");
        world.answer(order[1], true).await;
        world.answer("BookFlight", true).await;
        assert_eq!(world.phase().await, Phase::Completed);
        assert_eq!(world.states().await, ["DONE"; 6]);
    }
}

#[tokio::test]
async fn what_nobody_answers_is_done_once_it_is_sent() {
    let world = World::with_trip(false).await;
    world.answer("BookHotel", true).await;
    world.answer("BookFlight", true).await;
    assert_eq!(world.kinds().await, ["BookHotel", "BookFlight", "SendTicket"]);
    assert_eq!(world.states().await, ["DONE", "DONE", "SKIPPED", "DONE", "DONE", "DONE"]);
    assert_eq!(world.phase().await, Phase::Completed);
    let (_, log) = world.found().await;
    let ticket = log.iter().find(|entry| entry.channel == "mail").expect("it is in the log");
    assert!(!ticket.headers.contains("replyTo"), "{}", ticket.headers);
}

#[tokio::test]
async fn a_step_whose_condition_does_not_hold_is_neither_done_nor_undone() {
    let world = World::with_trip(false).await;
    world.answer("BookHotel", true).await;
    world.answer("BookFlight", false).await;
    world.answer("CancelHotel", true).await;
    assert_eq!(world.kinds().await, ["BookHotel", "BookFlight", "CancelHotel"]);
    assert_eq!(world.states().await, ["COMPENSATED", "COMPENSATED", "SKIPPED", "REFUSED", "WAITING", "WAITING"]);
    assert_eq!(world.phase().await, Phase::RolledBack);
}

#[tokio::test]
async fn a_refusal_undoes_what_is_done_and_what_gets_done_late() {
    // The hotel is done before or after the car is refused.
    for hotel_first in [true, false] {
        let world = World::with_trip(true).await;
        if hotel_first {
            world.answer("BookHotel", true).await;
        }
        world.answer("BookCar", false).await;
        // Closed and opened again with the hotel under way.
        let world = world.restart().await;
        if !hotel_first {
            assert_eq!(world.sent().await.len(), 2, "nothing is known to undo yet");
            assert_eq!(world.phase().await, Phase::Compensating(1));
            world.answer("BookHotel", true).await;
        }
        world.answer("CancelHotel", true).await;
        assert_eq!(world.states().await, ["COMPENSATED", "COMPENSATED", "REFUSED", "WAITING", "WAITING", "WAITING"]);
        assert_eq!(world.phase().await, Phase::RolledBack);
        assert!(!world.kinds().await.contains(&"CancelCar".to_owned()), "the car was never booked");
    }
}

#[tokio::test]
async fn both_refused_leave_nothing_to_undo_but_the_note() {
    let world = World::with_trip(true).await;
    world.answer("BookCar", false).await;
    world.answer("BookHotel", false).await;
    assert_eq!(world.sent().await.len(), 2);
    assert_eq!(world.states().await, ["COMPENSATED", "REFUSED", "REFUSED", "WAITING", "WAITING", "WAITING"]);
}

#[tokio::test]
async fn answers_that_come_twice_late_or_to_another_command_change_nothing() {
    let world = World::with_trip(true).await;
    let (hotel, car) = (world.command("BookHotel").await, world.command("BookCar").await);
    world.answer_to(hotel, true).await;
    world.answer_to(hotel, true).await;
    world.answer_to(uuid::Uuid::from_u128(77), false).await;
    assert_eq!(world.states().await, ["DONE", "DONE", "RUNNING", "WAITING", "WAITING", "WAITING"]);
    assert_eq!(world.logged("late-reply").await, 2);
    world.answer_to(car, true).await;
    // Contradicts itself, which comes too late.
    world.answer_to(car, false).await;
    assert_eq!(world.states().await, ["DONE", "DONE", "DONE", "RUNNING", "WAITING", "WAITING"]);
    assert_eq!(world.logged("late-reply").await, 3);
}
