//! A client can ask for at least the version that it has seen, and is told when it must wait longer.

use crate::desk::{TestDesk, new_id};
use serde_json::Value;

const TRAMLINE_STALE: &str = "tramline-stale";

#[tokio::test]
async fn a_read_after_a_command_shows_its_version_or_says_that_it_does_not() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let path = format!("/api/customers/{customer}");
    let fresh = desk.get(&format!("{path}?minVersion=1")).await;
    assert_eq!((fresh.status.as_u16(), fresh.headers.get(TRAMLINE_STALE)), (200, None));
    let (order, _) = desk.order(customer, "1.00").await;
    for path in [path, format!("/api/orders/{order}")] {
        let fresh = desk.get(&format!("{path}?minVersion=2")).await;
        assert_eq!((fresh.status.as_u16(), fresh.headers.get(TRAMLINE_STALE)), (200, None));
        let stale = desk.get(&format!("{path}?minVersion=3")).await;
        assert_eq!(stale.status, 200);
        assert_eq!(stale.headers.get(TRAMLINE_STALE).map(|value| value.as_bytes()), Some(&b"true"[..]));
        let shown: Value = stale.json().expect("it is JSON");
        assert_eq!(shown["version"], 2);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_whatever_version_is_asked_for() {
    let desk = TestDesk::start();
    for kind in ["customers", "orders"] {
        for query in ["", "?minVersion=0", "?minVersion=1"] {
            let answer = desk.get(&format!("/api/{kind}/{}{query}", new_id())).await;
            assert_eq!(answer.problem().expect("a problem").code, "not-found", "{kind} {query}");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (order, state) = desk.order(customer, "4.00").await;
    let desk = desk.restart();
    assert_eq!(desk.settled(order).await.state, state);
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion=2")).await;
    assert_eq!((&shown["availableCredit"], &shown["version"]), (&"6.00".into(), &2.into()));
    // And it goes on from there.
    let order = desk.order(customer, "7.00").await;
    assert_eq!(order.1.as_str(), "REJECTED");
}
