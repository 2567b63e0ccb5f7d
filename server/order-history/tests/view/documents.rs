//! Single documents: what is shown, and what changes it.

use crate::{
    events::{approved, customer, customer_id, order_id, placed, rejected},
    stores::{TestStore, on_every_store},
};
use std::time::Duration;

on_every_store!(
    documents_are_the_same_text_in_every_store,
    an_order_may_be_heard_of_before_its_customer,
    what_is_old_or_repeated_changes_nothing,
    a_new_name_is_shown_everywhere,
    a_read_waits_for_the_version_that_it_asks_for,
);

async fn documents_are_the_same_text_in_every_store(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[customer(1, 1, "Zoë \"Z\" Ångström"), placed(1, 1, 1_764_000_000_000_001), placed(2, 9, 3)]).await;
    desk.tell(&[rejected(2, 9, 3)]).await;
    assert_eq!(
        desk.text(&format!("/customers/{}", customer_id(1))).await,
        "{\"id\":\"00000000-0000-0000-0000-000000000001\",\"name\":\"Zoë \\\"Z\\\" Ångström\",\"creditLimit\":\"1000.00\",\
         \"reserved\":\"1.00\",\"paid\":\"0.00\",\"availableCredit\":\"999.00\",\"version\":1,\
         \"createdAt\":\"1970-01-01T00:00:00.000001Z\",\"orderCount\":1}"
    );
    assert_eq!(
        desk.text(&format!("/orders/{}", order_id(1))).await,
        "{\"id\":\"70000000-0000-0000-0000-000000000001\",\"customerId\":\"00000000-0000-0000-0000-000000000001\",\
         \"customerName\":\"Zoë \\\"Z\\\" Ångström\",\"total\":\"12.50\",\"state\":\"PENDING\",\
         \"coordination\":\"orchestration\",\"version\":1,\"createdAt\":\"2025-11-24T16:00:00.000001Z\",\
         \"updatedAt\":\"2025-11-24T16:00:00.000001Z\"}"
    );
    assert_eq!(
        desk.text(&format!("/orders/{}", order_id(2))).await,
        "{\"id\":\"70000000-0000-0000-0000-000000000002\",\"customerId\":\"00000000-0000-0000-0000-000000000009\",\
         \"total\":\"12.50\",\"state\":\"REJECTED\",\"rejectionReason\":\"INSUFFICIENT_CREDIT\",\
         \"coordination\":\"orchestration\",\"sagaId\":\"00000000-0000-0000-0000-000000000005\",\"version\":2,\
         \"createdAt\":\"1970-01-01T00:00:00.000003Z\",\"updatedAt\":\"1970-01-01T00:00:00.000004Z\"}"
    );
    // A customer of whom only orders are known is no customer yet.
    for path in ["/customers/", "/orders/"] {
        let answer = desk.client.get(&format!("{path}{}", customer_id(9))).send().await.expect("it answers");
        assert_eq!(answer.status, 404, "{path}");
    }
}

async fn an_order_may_be_heard_of_before_its_customer(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[placed(1, 1, 10)]).await;
    desk.tell(&[placed(2, 1, 11), approved(1, 1, 10)]).await;
    let order = desk.json(&format!("/orders/{}", order_id(1))).await;
    assert_eq!((&order["state"], order.get("customerName")), (&"APPROVED".into(), None));
    assert_eq!(desk.json("/customers").await["items"], serde_json::json!([]));
    desk.tell(&[customer(1, 1, "Ada")]).await;
    assert_eq!(desk.json(&format!("/orders/{}", order_id(1))).await["customerName"], "Ada");
    assert_eq!(desk.json(&format!("/customers/{}", customer_id(1))).await["orderCount"], 2);
}

async fn what_is_old_or_repeated_changes_nothing(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[approved(1, 1, 10), customer(1, 10, "Ada"), customer(2, 1, "Bob")]).await;
    let before = (desk.contents().await, desk.head().await);
    // Versions are numbers: as text, 9 would be newer than 10.
    desk.tell(&[placed(1, 1, 10), customer(1, 9, "Adam")]).await;
    desk.tell(&[approved(1, 1, 10), customer(1, 10, "Eve"), customer(2, 1, "Bob")]).await;
    assert_eq!((desk.contents().await, desk.head().await), before);
    assert_eq!(desk.json(&format!("/customers/{}", customer_id(1))).await["name"], "Ada");
    assert_eq!(desk.json("/orders?state=PENDING").await["items"], serde_json::json!([]));
}

async fn a_new_name_is_shown_everywhere(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[customer(1, 1, "Ada"), placed(1, 1, 10)]).await;
    desk.tell(&[customer(1, 2, "Grace")]).await;
    assert_eq!(desk.json(&format!("/orders/{}", order_id(1))).await["customerName"], "Grace");
    assert_eq!(desk.json("/orders?q=grace").await["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(desk.json("/orders?q=ada").await["items"].as_array().map(Vec::len), Some(0));
}

async fn a_read_waits_for_the_version_that_it_asks_for(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[placed(1, 1, 10)]).await;
    let path = format!("/orders/{}?minVersion=2", order_id(1));
    let late = desk.client.get(&path).send().await.expect("it answers");
    assert_eq!((late.status.as_u16(), late.headers.contains_key("tramline-stale")), (200, true));
    let change = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        desk.tell(&[approved(1, 1, 10)]).await;
    };
    let (fresh, ()) = tokio::join!(desk.client.get(&path).send(), change);
    let fresh = fresh.expect("it answers");
    assert!(!fresh.headers.contains_key("tramline-stale"));
    assert_eq!(fresh.json::<serde_json::Value>().expect("it is JSON")["state"], "APPROVED");
}
