//! The search over customers and orders, in the whole desk.

use crate::desk::{DEADLINE, TestDesk};
use serde_json::Value;
use std::time::Duration;

/// Searches until so many are found: the view gathers messages for a moment.
async fn found(desk: &TestDesk, q: &str, count: usize) -> Vec<Value> {
    let wait = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            let page = desk.json(&format!("/api/search?q={q}")).await;
            let items = page["items"].as_array().expect("a list").clone();
            if items.len() == count {
                return items;
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("they are found in time")
}

#[tokio::test]
async fn customers_and_their_orders_are_found_by_name_and_state() {
    let desk = TestDesk::start();
    let (ada, bob) = (desk.customer("Ada Lovelace", "25.00").await, desk.customer("Bob", "100.00").await);
    let (approved, _) = desk.order(ada, "20.00").await;
    let (rejected, _) = desk.order(ada, "20.00").await;
    desk.order(bob, "20.00").await;
    let hits = found(&desk, "love", 3).await;
    assert_eq!((&hits[2]["kind"], &hits[2]["id"]), (&"customer".into(), &ada.to_string().into()));
    assert_eq!(found(&desk, "ada%20APPROVED", 1).await[0]["id"], approved.to_string());
    let refused = found(&desk, "lovelace%20insufficient", 1).await;
    assert_eq!((&refused[0]["id"], &refused[0]["version"]), (&rejected.to_string().into(), &2.into()));
    assert_eq!(found(&desk, "20.00", 3).await.len(), 3);
    assert_eq!(desk.get("/api/search?q=a&limit=0").await.status, 422);
    assert_eq!(desk.get("/api/search?q=%22NEAR(%22%20*").await.status, 200);
}

#[tokio::test]
async fn the_search_view_lost_is_filled_again_at_the_next_start() {
    let desk = TestDesk::start();
    let ada = desk.customer("Ada", "25.00").await;
    desk.order(ada, "20.00").await;
    found(&desk, "ada", 2).await;
    if desk.stores().setting("TRAMLINE_DATABASE").is_some() {
        // Its schema lies beside the others; only a file can be deleted without a word to the server.
        return;
    }
    let folder = desk.stop();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("data/search.db{end}")));
    }
    let desk = TestDesk::over(folder);
    found(&desk, "ada", 2).await;
}
