//! A group that wants some messages only: the others cost nothing, and are passed over for good.

use crate::support::{GROUP, Life, Shop, arrivals, arrived, embedded, open, send};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tramline_db::sql;
use tramline_messaging::{Messaging, Record};

fn even(parcel: &Record) -> bool {
    parcel.payload.parse::<i64>().is_ok_and(|number| number % 2 == 0)
}

fn none(_: &Record) -> bool {
    false
}

async fn offsets(shop: &Messaging) -> i64 {
    let total = sql("select cast(coalesce(sum(last_seq), 0) as bigint) from consumer_offset where consumer_group = $1");
    let row: Option<(i64,)> = shop.db().optional(total.bind(GROUP)).await.expect("the table is there");
    row.map_or(0, |(total,)| total)
}

async fn offsets_reach(shop: &Messaging, total: i64) {
    let wait = async {
        while offsets(shop).await < total {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the offsets follow in time");
}

#[tokio::test]
async fn what_is_wanted_arrives_once_and_in_order_and_the_rest_is_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    for life in 0..2 {
        let broker = embedded(&depot).await;
        let running = Life::selecting(broker, &depot, &shop, Arc::default(), even).await;
        for round in 0..20 {
            for sender in 0..5 {
                // The last number of each round is not wanted, so that offsets must also move without an effect.
                let first = life * 100 + round * 4 + 1;
                send(&depot, sender, first..first + 3).await;
                send(&depot, sender, first + 4..first + 5).await;
            }
        }
        offsets_reach(&shop, (life + 1) * 400).await;
        running.stop().await;
    }
    let sent =
        (0..2).flat_map(|life| (0..20).flat_map(move |round| [1, 2, 3, 5].map(|step| life * 100 + round * 4 + step)));
    let wanted: Vec<i64> = sent.filter(|number| number % 2 == 0).collect();
    for sender in 0..5 {
        assert_eq!(arrivals(&shop, sender).await, wanted);
    }
}

#[tokio::test]
async fn messages_that_nobody_wants_cost_no_transaction_each() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let life = Life::selecting(embedded(&depot).await, &depot, &shop, Arc::default(), none).await;
    let before = shop.db().counters().commits();
    for number in 0..300 {
        send(&depot, 1, number..number + 1).await;
    }
    offsets_reach(&shop, 300).await;
    let commits = shop.db().counters().commits() - before;
    assert!(commits < 60, "300 messages cost {commits} commits");
    life.stop().await;
}

#[tokio::test]
async fn a_failure_among_unwanted_messages_is_tried_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let handler = Arc::new(Shop::default());
    handler.closed.store(true, Ordering::SeqCst);
    let life = Life::selecting(embedded(&depot).await, &depot, &shop, Arc::clone(&handler), even).await;
    send(&depot, 1, 1..8).await;
    let statements = shop.db().counters().statements();
    while shop.db().counters().statements() < statements + 20 {
        tokio::task::yield_now().await;
    }
    handler.closed.store(false, Ordering::SeqCst);
    arrived(&shop, 3).await;
    offsets_reach(&shop, 7).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, [2, 4, 6]);
}
