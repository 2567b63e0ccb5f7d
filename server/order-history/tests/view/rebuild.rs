//! A generation that is built beside the one that is read, in every store.

use crate::{
    events::{approved, customer, placed, rejected},
    stores::{Instance, TestStore, on_every_store, step, stream},
};
use std::sync::Arc;
use tramline_messaging::{Effects as _, HandlerError, Record};
use tramline_order_history::{Swap, ViewRebuild, project, sweep_view};

on_every_store!(
    a_view_built_anew_is_the_same_to_the_letter,
    a_generation_that_lacks_something_is_not_put_in_place,
    one_generation_is_built_at_a_time,
);

async fn begin(desk: &Instance) -> ViewRebuild {
    let rebuild = ViewRebuild::of_view(&desk.history).await.expect("it begins");
    rebuild.claim(&[stream(0), stream(1)]).await.expect("it is reached");
    rebuild
}

async fn load(rebuild: &ViewRebuild, from: i64, to: i64, batch: &[Arc<Record>]) -> Result<(), HandlerError> {
    rebuild.load(&[step(0, from, to, 0)], project(batch).expect("they read")).await
}

async fn shown(desk: &Instance) -> Vec<String> {
    let mut texts = Vec::new();
    for path in
        ["/customers?limit=100", "/orders?limit=100", "/orders?state=APPROVED", "/orders?q=ada", "/customers?q=b"]
    {
        texts.push(desk.text(path).await);
    }
    texts
}

async fn a_view_built_anew_is_the_same_to_the_letter(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[customer(1, 1, "Ada"), customer(2, 1, "Bob"), placed(1, 1, 10), placed(2, 2, 11)]).await;
    desk.tell(&[approved(1, 1, 10), rejected(2, 2, 11), placed(3, 9, 12), customer(1, 2, "Ada")]).await;
    let (before, contents) = (shown(&desk).await, desk.contents().await);
    let (epoch, head) = desk.head().await;

    let rebuild = begin(&desk).await;
    // In another order, and some of it twice: only the newest counts.
    load(&rebuild, 0, 1, &[approved(1, 1, 10), placed(3, 9, 12), customer(1, 2, "Ada"), rejected(2, 2, 11)])
        .await
        .expect("it is built");
    assert_eq!(shown(&desk).await, before, "the old one is read meanwhile");
    load(&rebuild, 1, 2, &[placed(1, 1, 10), customer(2, 1, "Bob"), placed(3, 9, 12)]).await.expect("it is built");
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Done);
    assert_eq!(shown(&desk).await, before);
    assert_eq!(desk.contents().await, contents);

    let told = desk.poll(&epoch, head, 10_000).await;
    assert!(told.epoch != epoch && told.items.is_empty(), "gateways read again: {told:?}");
    // Its owner goes on where it was, and the old generation goes without a trace.
    desk.projector.claim(&[(stream(0), 1), (stream(1), 1)]).await.expect("it is reached");
    desk.tell(&[placed(4, 1, 13)]).await;
    assert_eq!(desk.contents().await.1.len(), 4);
    sweep_view(&desk.history).await.expect("it is reached");
    assert_eq!(sweep_view(&desk.history).await.expect("it is reached"), 0);
    assert_eq!(desk.contents().await.1.len(), 4);
    let late = load(&rebuild, 2, 3, &[placed(5, 1, 14)]).await;
    assert!(matches!(late, Err(HandlerError::Moved)), "it is not built any more: {late:?}");
}

async fn a_generation_that_lacks_something_is_not_put_in_place(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[customer(1, 1, "Ada")]).await;
    desk.tell(&[placed(1, 1, 10)]).await;
    let rebuild = begin(&desk).await;
    load(&rebuild, 0, 1, &[customer(1, 1, "Ada")]).await.expect("it is built");
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Behind);
    assert_eq!(desk.contents().await.1.len(), 1);
    // What the one that is read does not show yet is no harm: its owner finds that the offset stands elsewhere.
    load(&rebuild, 1, 3, &[placed(1, 1, 10), placed(2, 1, 11)]).await.expect("it is built");
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Done);
    assert_eq!(desk.contents().await.1.len(), 2);
    let answer = desk.apply(&[step(0, 2, 3, 1)], &[placed(2, 1, 11)]).await;
    assert!(matches!(answer, Err(HandlerError::Moved)), "{answer:?}");
    let claimed = desk.projector.claim(&[(stream(0), 1)]).await.expect("it is reached");
    assert_eq!(claimed, [(stream(0), 3)]);
}

async fn one_generation_is_built_at_a_time(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[customer(1, 1, "Ada")]).await;
    let given_up = begin(&desk).await;
    load(&given_up, 0, 1, &[customer(1, 1, "Ada")]).await.expect("it is built");
    let rebuild = begin(&desk).await;
    assert_eq!(given_up.swap().await.expect("it is reached"), Swap::GivenUp);
    assert!(matches!(load(&given_up, 1, 2, &[placed(1, 1, 10)]).await, Err(HandlerError::Moved)));
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Behind, "it begins empty");
    load(&rebuild, 0, 1, &[customer(1, 1, "Ada")]).await.expect("it is built");
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Done);
    assert_eq!(desk.contents().await.0.len(), 1);
}
