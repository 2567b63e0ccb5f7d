//! How a desk begins and ends: one per folder and port, and an end that loses nothing.

use crate::desk::{TestDesk, new_id, printed, tramline_on};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tramline_contract::OrderId;
use tramline_http::ServiceClient;
use tramline_testing::{DeskStores, REDIS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_is_told_to_end_under_load_keeps_every_order_that_it_accepted() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "1000.00").await;
    let told_to_end = Arc::new(AtomicBool::new(false));
    let accepted = Arc::new(tokio::sync::Notify::new());
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (url, told_to_end, accepted) = (desk.url(), Arc::clone(&told_to_end), Arc::clone(&accepted));
            tokio::spawn(async move {
                let client = ServiceClient::remote("desk", &url).expect("an address");
                let mut orders = Vec::new();
                loop {
                    let id = OrderId(new_id());
                    let body = json!({"id": id, "customerId": customer, "total": "1.00"});
                    match client.post_json("/api/orders", &body).send().await {
                        Ok(answer) if answer.status == 202 => orders.push(id),
                        // From the moment on at which it is told to end, it may refuse.
                        _ if told_to_end.load(Ordering::SeqCst) => return orders,
                        other => panic!("the desk does not take an order: {other:?}"),
                    }
                    accepted.notify_one();
                }
            })
        })
        .collect();
    for _ in 0..50 {
        accepted.notified().await;
    }
    told_to_end.store(true, Ordering::SeqCst);
    let desk = desk.restart();
    for client in clients {
        for order in client.await.expect("a client does not panic") {
            desk.settled(order).await;
        }
    }
}

#[tokio::test]
async fn a_second_desk_on_the_same_folder_is_refused() {
    if std::env::var_os(REDIS).is_some() {
        eprintln!("desks that have a Redis share the work: that is another story");
        return;
    }
    let desk = TestDesk::start();
    let output = tramline_on(&desk.stores(), ["serve", "--listen", "127.0.0.1:0"]);
    let (_, error) = printed(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("is in use by another tramline"), "{error}");
    let customer = desk.customer("Ada", "1.00").await;
    assert_eq!(desk.order(customer, "1.00").await.1.as_str(), "APPROVED", "the first one is not disturbed");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let desk = TestDesk::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stores = DeskStores::of(&folder.path().join("data"));
    let output = tramline_on(&stores, ["serve", "--listen", &desk.address]);
    let (_, error) = printed(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(&format!("cannot listen on {}", desk.address)), "{error}");
}
