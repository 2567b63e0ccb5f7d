//! A customer's account in an operator's hands: the limit is changed, payments are recorded.

use crate::desk::{TestDesk, new_id};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tramline_contract::{CustomerId, OrderState};
use tramline_http::Answer;

fn told(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json().expect("it is JSON"))
}

async fn set_limit(desk: &TestDesk, customer: CustomerId, body: Value) -> (u16, Value) {
    told(&desk.post(&format!("/api/customers/{customer}/credit-limit"), &body).await)
}

async fn pay(desk: &TestDesk, customer: CustomerId, body: Value) -> (u16, Value) {
    told(&desk.post(&format!("/api/customers/{customer}/payments"), &body).await)
}

async fn shown(desk: &TestDesk, customer: CustomerId, version: i64) -> [Value; 5] {
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion={version}")).await;
    ["creditLimit", "reserved", "paid", "availableCredit", "version"].map(|field| shown[field].clone())
}

#[tokio::test]
async fn a_payment_makes_room_for_another_order() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    assert_eq!(desk.order(customer, "100.00").await.1, OrderState::Approved);
    assert_eq!(desk.order(customer, "30.00").await.1, OrderState::Rejected);
    let id = new_id();
    let answer = pay(&desk, customer, json!({"id": id, "amount": "30.00", "reference": "HQ336336"})).await;
    assert_eq!(answer, (201, json!({"id": id, "version": 4})));
    assert_eq!(
        shown(&desk, customer, 4).await,
        [json!("100.00"), json!("100.00"), json!("30.00"), json!("30.00"), json!(4)]
    );
    // What was paid counts at once: whoever asks after the answer finds it.
    assert_eq!(desk.order(customer, "30.00").await.1, OrderState::Approved);
    let composed = desk.json(&format!("/api/customers/{customer}/orders?source=composition")).await;
    assert_eq!(
        (&composed["customer"]["paid"], &composed["customer"]["availableCredit"]),
        (&json!("30.00"), &json!("0.00"))
    );
}

#[tokio::test]
async fn a_payment_counts_once_however_often_it_is_sent() {
    let desk = TestDesk::start();
    let (customer, other) = (desk.customer("Ada", "100.00").await, desk.customer("Bob", "100.00").await);
    let body = json!({"id": new_id(), "amount": "10.00", "reference": "A1"});
    let answers = join_all((0..20).map(|_| pay(&desk, customer, body.clone()))).await;
    let first = (201, json!({"id": body["id"], "version": 2}));
    assert!(answers.iter().all(|answer| *answer == first), "{answers:?}");
    let conflict =
        |answer: (u16, Value)| assert_eq!((answer.0, &answer.1["code"]), (409, &json!("idempotency-conflict")));
    let with = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        body
    };
    conflict(pay(&desk, customer, with("amount", json!("10.01"))).await);
    conflict(pay(&desk, customer, with("reference", json!("A2"))).await);
    conflict(pay(&desk, customer, with("reference", json!(null))).await);
    conflict(pay(&desk, other, body.clone()).await);
    let desk = desk.restart();
    assert_eq!(pay(&desk, customer, body).await, first);
    assert_eq!(shown(&desk, customer, 2).await[2], "10.00");
    assert_eq!(shown(&desk, other, 1).await[2], "0.00");
    assert_eq!(pay(&desk, CustomerId(new_id()), json!({"amount": "1.00"})).await.0, 404);
}

#[tokio::test]
async fn payments_of_one_customer_at_once_all_count_while_orders_are_decided() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "1000.00").await;
    let paying = join_all((0..30).map(|_| pay(&desk, customer, json!({"amount": "1.00"}))));
    let ordering = join_all((0..30).map(|_| desk.order(customer, "1.00")));
    let (paid, ordered) = futures_util::future::join(paying, ordering).await;
    assert!(paid.iter().all(|answer| answer.0 == 201), "{paid:?}");
    assert!(ordered.iter().all(|(_, state)| *state == OrderState::Approved));
    let versions: std::collections::BTreeSet<_> = paid.iter().map(|answer| answer.1["version"].as_i64()).collect();
    assert_eq!(versions.len(), 30, "each payment made a version of its own");
    let [_, reserved, paid, available, _] = shown(&desk, customer, 61).await;
    assert_eq!([reserved, paid, available], ["30.00", "30.00", "1000.00"].map(Value::from));
}

#[tokio::test]
async fn a_limit_below_what_is_reserved_makes_available_credit_negative_until_orders_end() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (id, _) = desk.order(customer, "80.00").await;
    assert_eq!(
        set_limit(&desk, customer, json!({"creditLimit": "50.00"})).await,
        (200, json!({"id": customer, "version": 3}))
    );
    assert_eq!(shown(&desk, customer, 3).await[3], "-30.00");
    assert_eq!(desk.order(customer, "0.01").await.1, OrderState::Rejected);
    // Less is always done, however little is left.
    assert_eq!(desk.post(&format!("/api/orders/{id}/revise"), &json!({"total": "60.00"})).await.status, 202);
    assert_eq!(desk.settled_at(id, 4).await.total.to_string(), "60.00");
    assert_eq!(shown(&desk, customer, 5).await[3], "-10.00");
    assert_eq!(desk.post(&format!("/api/orders/{id}/cancel"), &json!({})).await.status, 202);
    assert_eq!(desk.settled_at(id, 6).await.state, OrderState::Cancelled);
    assert_eq!(shown(&desk, customer, 6).await[3], "50.00");
    assert_eq!(desk.order(customer, "50.00").await.1, OrderState::Approved);
}

#[tokio::test]
async fn a_limit_is_changed_from_the_version_that_was_seen_or_not_at_all() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let wanted = json!({"creditLimit": "200.00", "expectedVersion": 1});
    let first = (200, json!({"id": customer, "version": 2}));
    assert_eq!(set_limit(&desk, customer, wanted.clone()).await, first);
    // The answer was lost, and the caller asks again: its own change is no conflict.
    assert_eq!(set_limit(&desk, customer, wanted).await, first);
    let conflict = set_limit(&desk, customer, json!({"creditLimit": "300.00", "expectedVersion": 1})).await;
    assert_eq!(
        (conflict.0, &conflict.1["code"], &conflict.1["currentVersion"]),
        (409, &json!("version-conflict"), &json!(2))
    );
    assert_eq!(
        set_limit(&desk, customer, json!({"creditLimit": "200.00", "expectedVersion": 2})).await,
        first,
        "it is so already"
    );
    assert_eq!(shown(&desk, customer, 2).await[0], "200.00");
    assert_eq!(set_limit(&desk, customer, json!({"creditLimit": "0.00"})).await.0, 200);
    assert_eq!(desk.order(customer, "0.01").await.1, OrderState::Rejected);
    assert_eq!(set_limit(&desk, CustomerId(new_id()), json!({"creditLimit": "1.00"})).await.0, 404);
}

#[tokio::test]
async fn of_many_who_change_a_limit_from_the_same_version_one_succeeds() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let answers = join_all((1..=20).map(|number| {
        set_limit(&desk, customer, json!({"creditLimit": format!("{number}.00"), "expectedVersion": 1}))
    }))
    .await;
    let done = answers.iter().filter(|answer| answer.0 == 200).count();
    let conflicts = answers.iter().filter(|answer| answer.0 == 409 && answer.1["code"] == "version-conflict").count();
    assert_eq!((done, conflicts), (1, 19), "{answers:?}");
}
