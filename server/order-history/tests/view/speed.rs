//! What the view in Redis costs. The numbers are printed; the bounds are for a busy machine.

use crate::{
    events::{approved, customer, order_id, placed},
    stores::{Instance, Kind, TestStore},
};
use std::{
    future::Future,
    time::{Duration, Instant},
};

#[expect(clippy::disallowed_methods, reason = "a test measures how long something takes")]
fn moment() -> Instant {
    Instant::now()
}

async fn median<F: Future<Output = ()>>(what: &str, times: u128, work: impl Fn(u128) -> F) -> Duration {
    let mut taken = Vec::new();
    for number in 0..times {
        let began = moment();
        work(number).await;
        taken.push(moment().saturating_duration_since(began));
    }
    taken.sort_unstable();
    let median = taken[taken.len() / 2];
    println!("{what}: median {median:?}, worst {:?}", taken[taken.len() - 1]);
    median
}

#[tokio::test]
async fn a_change_and_a_read_are_one_short_round_trip() {
    let Some(store) = TestStore::open(Kind::Redis).await else { return };
    let desk: Instance = store.instance().await;
    desk.tell(&(0..100).map(|number| customer(number, 1, "Ada")).collect::<Vec<_>>()).await;
    let batch =
        |number: u128| (0..256).map(move |order| placed(number * 256 + order, order % 100, 10)).collect::<Vec<_>>();
    let at_once = median("256 events", 40, async |number| desk.tell(&batch(number)).await).await;
    let alone = median("one event", 200, async |number| desk.tell(&[approved(number, number % 100, 10)]).await).await;
    let path = |number: u128| format!("/orders/{}", order_id(number));
    let read = median("an order", 200, async |number| drop(desk.text(&path(number)).await)).await;
    let page = median("a page of 50", 50, async |_| drop(desk.text("/orders?limit=50").await)).await;
    let search = median("a search in vain", 5, async |_| drop(desk.text("/orders?q=nobody").await)).await;
    for (taken, most) in [(at_once, 500), (alone, 50), (read, 50), (page, 100), (search, 1_000)] {
        assert!(taken < Duration::from_millis(most), "{taken:?}");
    }
}
