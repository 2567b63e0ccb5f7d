//! The feed: what gateways hear of changes.

use crate::{
    events::{approved, customer, customer_id, order_id, placed},
    stores::{TestStore, on_every_store},
};
use std::time::Duration;
use tokio::time::timeout;
use tramline_messages::feed::{FeedBatch, FeedKind};

on_every_store!(
    changes_are_told_once_in_order_and_as_the_view_shows_them,
    a_poll_waits_for_news,
    another_epoch_or_a_forgotten_place_is_said_so,
    every_instance_of_a_shared_view_tells_the_same,
);

async fn changes_are_told_once_in_order_and_as_the_view_shows_them(store: TestStore) {
    let desk = store.instance().await;
    let (epoch, head) = desk.head().await;
    assert_eq!(head, 0);
    desk.tell(&[placed(2, 1, 11), customer(1, 1, "Ada"), placed(1, 1, 10)]).await;
    desk.tell(&[placed(2, 1, 11)]).await;
    desk.tell(&[approved(1, 1, 10)]).await;
    let mut items = Vec::new();
    while items.len() < 4 {
        let batch = desk.poll(&epoch, items.len() as u64, 5_000).await;
        assert_eq!((&batch.epoch, batch.oldest), (&epoch, 1));
        items.extend(batch.items);
    }
    assert_eq!(items.iter().map(|item| item.cursor).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let kinds: Vec<_> = items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FeedKind::Customer, FeedKind::Order, FeedKind::Order, FeedKind::Order]);
    let ids: Vec<_> = items[1..].iter().map(|item| json(item.document.get())["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 1].map(|number| serde_json::json!(order_id(number))));
    assert_eq!(items[0].document.get(), desk.text(&format!("/customers/{}", customer_id(1))).await);
    assert_eq!(items[3].document.get(), desk.text(&format!("/orders/{}", order_id(1))).await);
    assert!(desk.poll(&epoch, 4, 20).await.items.is_empty());
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("it is JSON")
}

async fn a_poll_waits_for_news(store: TestStore) {
    let desk = store.instance().await;
    let (epoch, head) = desk.head().await;
    assert!(timeout(Duration::from_millis(50), desk.poll(&epoch, head, 10_000)).await.is_err());
    let mut waits = Vec::new();
    for number in 1..=20 {
        let tell = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            desk.tell(&[placed(number, 1, 10)]).await;
            moment()
        };
        let poll = async {
            (desk.poll(&epoch, head + u64::try_from(number).expect("it is small") - 1, 10_000).await, moment())
        };
        let ((batch, heard), told) = tokio::join!(poll, tell);
        assert_eq!(batch.items.len(), 1);
        waits.push(heard.saturating_duration_since(told));
    }
    waits.sort_unstable();
    println!("from the effect to the end of a poll: median {:?}, worst {:?}", waits[10], waits[19]);
    assert!(waits[10] < Duration::from_millis(50), "{waits:?}");
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long something takes")]
fn moment() -> std::time::Instant {
    std::time::Instant::now()
}

async fn another_epoch_or_a_forgotten_place_is_said_so(store: TestStore) {
    let desk = store.instance().await;
    let (epoch, _) = desk.head().await;
    desk.tell(&[placed(1, 1, 10)]).await;
    let other = desk.poll("other", 0, 5_000).await;
    assert_eq!((other.epoch, other.head, other.oldest, other.items.len()), (epoch, 1, 1, 0));
}

/// Gateways poll whichever instance they reach: none may be sent backwards, and none may miss anything.
async fn every_instance_of_a_shared_view_tells_the_same(store: TestStore) {
    let first = store.instance().await;
    if !first.is_in_redis() {
        return;
    }
    let second = store.instance().await;
    let (epoch, mut after) = first.head().await;
    for number in 1..=100 {
        first.tell(&[placed(number, 1, 10)]).await;
        let asked = if number % 2 == 0 { &first } else { &second };
        let batch = asked.poll(&epoch, after, 10_000).await;
        assert!(batch.epoch == epoch && batch.head >= after && batch.oldest <= after + 1, "{batch:?}");
        for item in batch.items {
            assert_eq!(item.cursor, after + 1);
            after = item.cursor;
        }
    }
    assert_eq!(after, 100);
    // One that comes later knows what was, so a gateway goes on there too.
    let late = store.instance().await;
    let batch = late.poll(&epoch, 90, 0).await;
    assert_eq!((&batch.epoch, batch.oldest, batch.items.len()), (&epoch, 1, 10));
    // And it tells what was told then, whatever has become of it since: else somebody who turns to it and back hears
    // something older after something newer.
    first.tell(&(91..=100).map(|number| approved(number, 1, 10)).collect::<Vec<_>>()).await;
    let later = store.instance().await;
    let texts =
        |batch: FeedBatch| batch.items.into_iter().map(|item| item.document.get().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(later.poll(&epoch, 90, 0).await)[..10], texts(first.poll(&epoch, 90, 0).await)[..10]);
}
