//! What the desk is for: an order is approved when the customer's credit covers it, and never otherwise.

use crate::desk::{TestDesk, new_id};
use futures_util::future::join_all;
use serde_json::json;
use tramline_contract::{CustomerId, OrderState, RejectionReason};

#[tokio::test]
async fn an_order_within_the_limit_is_approved_and_holds_credit() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let accepted = desk.place(customer, "100.00").await;
    assert_eq!((accepted.version.0, accepted.state), (1, OrderState::Pending));
    let order = desk.settled(accepted.id).await;
    assert_eq!((order.state, order.rejection_reason, order.version.0), (OrderState::Approved, None, 2));
    assert_eq!((order.customer_name.as_deref(), order.saga_id), (Some("Ada"), accepted.saga_id));
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion=2")).await;
    assert_eq!((&shown["reserved"], &shown["availableCredit"]), (&json!("100.00"), &json!("0.00")));
    assert_eq!((&shown["orderCount"], &shown["version"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn an_order_beyond_the_limit_is_rejected_and_holds_nothing() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let id = desk.place(customer, "100.01").await.id;
    let order = desk.settled(id).await;
    assert_eq!(order.state, OrderState::Rejected);
    assert_eq!(order.rejection_reason, Some(RejectionReason::InsufficientCredit));
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion=2")).await;
    assert_eq!((&shown["reserved"], &shown["availableCredit"]), (&json!("0.00"), &json!("100.00")));
    // A smaller one still has its chance.
    assert_eq!(desk.order(customer, "99.99").await.1, OrderState::Approved);
}

#[tokio::test]
async fn an_order_of_an_unknown_customer_is_accepted_and_then_rejected() {
    let desk = TestDesk::start();
    let id = desk.place(CustomerId(new_id()), "1.00").await.id;
    let order = desk.settled(id).await;
    assert_eq!(order.state, OrderState::Rejected);
    assert_eq!(order.rejection_reason, Some(RejectionReason::UnknownCustomer));
    assert_eq!(order.customer_name, None);
}

#[tokio::test]
async fn of_sixty_orders_at_once_exactly_those_that_the_limit_covers_are_approved() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "1000.00").await;
    let placed = join_all((0..60).map(|_| desk.place(customer, "30.00"))).await;
    let settled = join_all(placed.iter().map(|order| desk.settled(order.id))).await;
    let approved = settled.iter().filter(|order| order.state == OrderState::Approved).count();
    assert_eq!(approved, 33);
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion=61")).await;
    assert_eq!((&shown["reserved"], &shown["availableCredit"]), (&json!("990.00"), &json!("10.00")));
    assert_eq!((&shown["orderCount"], &shown["version"]), (&json!(60), &json!(61)));
}

#[tokio::test]
async fn orders_of_one_customer_are_decided_in_the_order_of_their_acceptance() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let mut decided = Vec::new();
    for total in ["60.00", "50.00", "40.00", "0.01"] {
        decided.push(desk.place(customer, total).await.id);
    }
    let states = join_all(decided.into_iter().map(|id| desk.settled(id))).await;
    let states: Vec<_> = states.into_iter().map(|order| order.state.as_str()).collect();
    assert_eq!(states, ["APPROVED", "REJECTED", "APPROVED", "REJECTED"]);
}
