//! An id is an idempotency key: the same command twice has one effect and one answer.

use crate::desk::{TestDesk, new_id};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tramline_http::Answer;

fn told(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json().expect("it is JSON"))
}

/// Sends a command, again, with another body, and again after a restart.
async fn has_one_effect(path: &str, body: Value, other: Value, status: u16, count: &str) {
    let desk = TestDesk::start();
    let first = told(&desk.post(path, &body).await);
    assert_eq!((first.0, &first.1["id"]), (status, &body["id"]));
    assert_eq!(told(&desk.post(path, &body).await), first);
    let conflict = told(&desk.post(path, &other).await);
    assert_eq!((conflict.0, &conflict.1["code"]), (409, &json!("idempotency-conflict")));

    let desk = desk.restart();
    assert_eq!(told(&desk.post(path, &body).await), first);
    assert_eq!(told(&desk.post(path, &other).await).0, 409);
    let id = body["id"].as_str().expect("an id");
    assert_eq!(desk.get(&format!("{path}/{id}?minVersion=1")).await.status, 200);
    let items = desk.json(count).await["items"].as_array().cloned().expect("a list");
    assert_eq!(items.len(), 1, "it is there once");
}

#[tokio::test]
async fn a_customer_is_created_once_however_often_it_is_asked_for() {
    let id = new_id();
    let body = json!({"id": id, "name": "Ada", "creditLimit": "10.00"});
    let other = json!({"id": id, "name": "Ada", "creditLimit": "10.01"});
    has_one_effect("/api/customers", body, other, 201, "/api/customers").await;
}

#[tokio::test]
async fn an_order_is_placed_once_however_often_it_is_asked_for() {
    let (id, customer) = (new_id(), new_id());
    let body = json!({"id": id, "customerId": customer, "total": "10.00"});
    let other = json!({"id": id, "customerId": customer, "total": "10.01"});
    has_one_effect("/api/orders", body, other, 202, "/api/orders").await;
}

#[tokio::test]
async fn the_same_amount_in_another_spelling_is_the_same_command() {
    let desk = TestDesk::start();
    let id = new_id();
    let bodies = [json!("30.00"), json!("30"), json!(30), json!(30.0)];
    for total in bodies {
        let body = json!({"id": id, "name": " Ada ", "creditLimit": total});
        assert_eq!(desk.post("/api/customers", &body).await.status, 201, "{body}");
    }
}

#[tokio::test]
async fn of_the_same_order_sent_twenty_times_at_once_one_is_placed() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let body = json!({"id": new_id(), "customerId": customer, "total": "10.00"});
    let answers = join_all((0..20).map(|_| desk.post("/api/orders", &body))).await;
    let first = told(&answers[0]);
    assert!(answers.iter().all(|answer| told(answer) == first && first.0 == 202));
    desk.settled(first.1["id"].as_str().expect("an id").parse().expect("an id")).await;
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion=2")).await;
    assert_eq!((&shown["reserved"], &shown["orderCount"]), (&json!("10.00"), &json!(1)));
}
