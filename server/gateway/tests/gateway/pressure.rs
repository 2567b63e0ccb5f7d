//! Too much at once: new orders are shed first, and reads go on.

use crate::support::{Reply, TestGateway};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tramline_gateway::{Limits, Pace, Pressure};

const ID: &str = "018f0000-0000-7000-8000-000000000001";

fn order() -> Value {
    json!({"customerId": ID, "total": "1.00"})
}

/// Sends new orders until one is refused at once; returns those that wait, and the refusal.
async fn flood(gateway: &TestGateway) -> (Vec<TcpStream>, Reply) {
    let head = "POST /api/orders HTTP/1.1\nContent-Type: application/json";
    let mut waiting = Vec::new();
    loop {
        let stream = gateway.begin(head, order().to_string().as_bytes()).await;
        match tokio::time::timeout(Duration::from_millis(300), stream.readable()).await {
            Ok(_) => return (waiting, Reply::read(stream).await),
            Err(_) => waiting.push(stream),
        }
    }
}

#[tokio::test]
async fn a_flood_of_new_orders_leaves_room_for_other_commands_and_for_reads() {
    let limits = Limits { commands: 3, new_orders: 2, ..Limits::default() };
    let gateway = TestGateway::with(limits, Pace::default()).await;
    let closed = gateway.stub.gate.acquire_many(1_000).await.expect("the gate is never closed");
    let (waiting, refused) = flood(&gateway).await;
    assert_eq!((waiting.len(), refused.refusal().as_str()), (2, "503 overloaded"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(gateway.get("/api/orders").await.status, 200, "reads go on");

    let head = "POST /api/customers HTTP/1.1\nContent-Type: application/json";
    let body = json!({"name": "Ada", "creditLimit": "1.00"}).to_string();
    let customer = gateway.begin(head, body.as_bytes()).await;
    let waits = tokio::time::timeout(Duration::from_millis(300), customer.readable()).await;
    assert!(waits.is_err(), "it has a seat");
    drop(closed);
    for stream in waiting.into_iter().chain([customer]) {
        assert_eq!(Reply::read(stream).await.status, 201);
    }
}

#[tokio::test]
async fn under_pressure_new_orders_are_told_when_to_come_back_and_nothing_else_is_refused() {
    let seconds = Arc::new(AtomicU64::new(7));
    let told = Arc::clone(&seconds);
    let gauge = move || Some(told.load(Ordering::Relaxed)).filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let limits = Limits { pressure: Pressure::gauged_by(gauge), ..Limits::default() };
    let gateway = TestGateway::with(limits, Pace::default()).await;
    let refused = gateway.post("/api/orders", &order()).await;
    assert_eq!((refused.refusal().as_str(), refused.headers["retry-after"].as_str()), ("503 overloaded", "7"));
    assert_eq!(gateway.post("/api/customers", &json!({"name": "Ada", "creditLimit": "1.00"})).await.status, 201);
    assert_eq!(gateway.get("/api/orders").await.status, 200);
    seconds.store(0, Ordering::Relaxed);
    assert_eq!(gateway.post("/api/orders", &order()).await.status, 201);
}
