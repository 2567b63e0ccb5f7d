//! Steps that are answered later.

use crate::world::{ANSWER, World};
use std::{sync::Arc, time::Duration};
use tramline_db::{DbError, sql};
use tramline_messaging::HandlerError;
use tramline_sagas::{Deferred, Phase, Reply, SagaKind};

async fn by_telephone() -> World {
    let world = World::open().await;
    let noted = world.messaging.db().write::<_, DbError, _>(|tx| {
        Box::pin(async move { tx.execute(sql("insert into by_telephone (id) values (1)")).await })
    });
    noted.await.expect("it is noted");
    world.book(false).await;
    world
}

async fn call_back(world: &World, reply: Reply) {
    let row: Option<(String,)> =
        world.messaging.db().optional(sql("select token from call_back")).await.expect("it reads");
    let token: Deferred = serde_json::from_str(&row.expect("somebody is to be called back").0).expect("it reads");
    let saga = Arc::clone(&world.saga);
    let answered = world.messaging.transact::<_, HandlerError, _>(None, move |work| {
        Box::pin(async move { saga.answer(work, &token, reply).await })
    });
    answered.await.expect("it is taken");
}

#[tokio::test]
async fn an_answer_that_comes_after_a_restart_moves_the_saga_on() {
    let world = by_telephone().await;
    assert_eq!(world.phase().await, Phase::Running(0));
    assert!(world.sent().await.is_empty());
    let world = world.restart().await;
    call_back(&world, Reply::done("TripNoted", &())).await;
    assert_eq!(world.kinds().await, ["BookHotel"]);
    // Once more: it is late.
    call_back(&world, Reply::refused("TripNotNoted", &())).await;
    assert_eq!(world.phase().await, Phase::Running(1));
    assert_eq!(world.logged("late-reply").await, 1);
}

#[tokio::test]
async fn a_refusal_may_come_later_too() {
    let world = by_telephone().await;
    call_back(&world, Reply::refused("TripNotNoted", &())).await;
    assert_eq!(world.phase().await, Phase::RolledBack);
}

#[tokio::test]
async fn the_deadline_asks_again_and_the_answer_to_either_question_counts() {
    let world = by_telephone().await;
    world.wait(ANSWER);
    assert_eq!(world.look().await, 1);
    assert_eq!(world.logged("command-again").await, 1);
    world.wait(Duration::from_secs(1));
    call_back(&world, Reply::done("TripNoted", &())).await;
    assert_eq!(world.phase().await, Phase::Running(1));
}
