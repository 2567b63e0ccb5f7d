//! From an outbox over the broker to a consumer: nothing lost, nothing twice, in order per key.

use crate::support::{GROUP, Life, Shop, arrivals, arrived, embedded, open, send};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tramline_db::sql;
use tramline_messaging::{HandlerError, Messaging, Parked, Sharing};

async fn start(depot: &Messaging, shop: &Messaging, handler: Arc<Shop>) -> Life {
    Life::start(embedded(depot).await, depot, shop, handler).await
}

#[tokio::test]
async fn messages_arrive_once_and_in_order_per_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let life = start(&depot, &shop, Arc::default()).await;
    for round in 0..50 {
        for sender in 0..7 {
            send(&depot, sender, round * 3..(round + 1) * 3).await;
        }
    }
    arrived(&shop, 7 * 150).await;
    life.stop().await;
    for sender in 0..7 {
        assert_eq!(arrivals(&shop, sender).await, (0..150).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_was_sent_while_nobody_listened_arrives_after_the_next_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    // More than the broker remembers, so that it must be read from the outbox.
    send(&depot, 1, 0..2_000).await;
    let life = start(&depot, &shop, Arc::default()).await;
    arrived(&shop, 2_000).await;
    life.stop().await;
    send(&depot, 1, 2_000..2_010).await;
    let life = start(&depot, &shop, Arc::default()).await;
    arrived(&shop, 2_010).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..2_010).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failure_undoes_its_effects_and_delays_nothing_for_ever() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let handler = Arc::new(Shop::default());
    handler.closed.store(true, Ordering::SeqCst);
    let life = start(&depot, &shop, Arc::clone(&handler)).await;
    send(&depot, 1, 0..5).await;
    // Two writes of the shop's database: the handler was tried and rolled back at least once.
    let commits = shop.db().counters().statements();
    while shop.db().counters().statements() < commits + 10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(arrivals(&shop, 1).await, Vec::<i64>::new());
    handler.closed.store(false, Ordering::SeqCst);
    arrived(&shop, 5).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_poison_message_is_parked_with_the_later_ones_of_its_key_and_other_keys_go_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let handler = Arc::new(Shop { never: Some(3), ..Shop::default() });
    let life = start(&depot, &shop, Arc::clone(&handler)).await;
    for sender in 1..=40 {
        // Only sender 1 sends the poison.
        send(&depot, sender, if sender == 1 { 0..6 } else { 10..16 }).await;
    }
    arrived(&shop, 3 + 39 * 6).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, [0, 1, 2]);
    assert_eq!(arrivals(&shop, 17).await, (10..16).collect::<Vec<_>>());
    let parked = Parked::list(shop.db()).await.expect("the table is there");
    assert_eq!(parked.len(), 3);
    assert!(parked.iter().all(|message| message.consumer_group == GROUP));
    assert_eq!(parked[0].reason, "planted");

    // The key stays parked after a restart: its messages may not overtake the one that waits.
    send(&depot, 1, 6..8).await;
    let life = start(&depot, &shop, Arc::default()).await;
    send(&depot, 2, 16..17).await;
    arrived(&shop, 3 + 39 * 6 + 1).await;
    life.stop().await;
    let life = start(&depot, &shop, Arc::default()).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_unit_of_work_that_fails_sends_nothing_and_leaves_no_gap() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let depot = open("depot", folder.path()).await;
    send(&depot, 1, 0..2).await;
    let failed = depot.transact::<(), HandlerError, _>(None, |work| {
        Box::pin(async move {
            work.send(
                crate::support::PARCELS,
                uuid::Uuid::from_u128(1),
                tramline_messaging::Headers::default(),
                "9".to_owned(),
            );
            Err(HandlerError::Transient("planted".to_owned()))
        })
    });
    failed.await.expect_err("it fails");
    send(&depot, 1, 2..4).await;
    let rows: Vec<(i64, String)> =
        depot.db().all(sql("select seq, payload from outbox order by seq")).await.expect("it reads");
    let expected: Vec<(i64, String)> = (0..4).map(|number| (number + 1, number.to_string())).collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_consumer_that_rests_takes_what_has_gathered_in_few_transactions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let (rest, broker) = (Duration::from_millis(500), embedded(&depot).await);
    let life = Life::resting(rest, &Sharing::Alone, broker, &depot, &shop, Arc::default()).await;
    send(&depot, 1, 0..1).await;
    arrived(&shop, 1).await;
    let before = shop.db().counters().commits();
    for number in 1..=60 {
        send(&depot, 1, number..number + 1).await;
    }
    arrived(&shop, 61).await;
    let transactions = shop.db().counters().commits() - before;
    assert!(transactions < 20, "{transactions} transactions for 60 parcels");
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..=60).collect::<Vec<_>>());
}
