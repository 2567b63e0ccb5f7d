//! Whoever leads a saga, or nobody: the same requests lead to the same orders, accounts and courses.

use crate::desk::{TestDesk, new_id};
use serde_json::{Value, json};
use std::fmt::Write as _;
use tramline_contract::{Coordination, CustomerId, Order, OrderAccepted, OrderId, SagaDetail};

pub const BOTH: [Coordination; 2] = [Coordination::Orchestration, Coordination::Choreography];

/// What a scenario came to: the order, the account, and the course of the last saga.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub scenario: &'static str,
    pub order: String,
    account: String,
    saga: String,
}

async fn place(desk: &TestDesk, way: Coordination, customer: CustomerId, total: &str) -> OrderAccepted {
    let body = json!({"customerId": customer, "total": total, "coordination": way.as_str()});
    accepted(desk, "/api/orders", &body).await
}

async fn accepted(desk: &TestDesk, path: &str, body: &Value) -> OrderAccepted {
    let answer = desk.post(path, body).await;
    assert_eq!(answer.status, 202, "{:?}", answer.json::<Value>());
    answer.json().expect("an acceptance")
}

async fn change(desk: &TestDesk, id: OrderId, what: &str, body: Value) -> OrderAccepted {
    accepted(desk, &format!("/api/orders/{id}/{what}"), &body).await
}

/// The document of a saga once it has ended; it ends with its order.
async fn outcome(desk: &TestDesk, scenario: &'static str, asked: &OrderAccepted) -> Outcome {
    let order: Order = desk.settled_at(asked.id, asked.version.0 + 1).await;
    let id = asked.saga_id.expect("it names its saga");
    assert_eq!(order.saga_id, Some(id), "the order names the saga that changed it last");
    let saga: SagaDetail = desk.get(&format!("/api/sagas/{id}")).await.json().expect("a saga");
    let steps = saga.steps.iter().take(3).fold(String::new(), |mut text, step| {
        let _ = write!(text, " {}={}", step.name, step.state);
        text
    });
    let shown = desk.get(&format!("/api/customers/{}/orders?source=composition", order.customer_id)).await;
    let shown: Value = shown.json().expect("it is JSON");
    let account = &shown["customer"];
    let refusal = order.rejection_reason.or(order.last_refusal).map_or("", |reason| reason.as_str());
    Outcome {
        scenario,
        order: format!("{} {} {refusal}", order.state.as_str(), order.total).trim_end().to_owned(),
        account: format!("{} held", account["reserved"].as_str().unwrap_or("nothing")),
        saga: format!("{} {:?}{steps}", saga.saga.kind, saga.saga.state),
    }
}

/// Every way that an order's life can go.
pub async fn scenarios(desk: &TestDesk, way: Coordination) -> Vec<Outcome> {
    let ada = desk.customer("Ada", "100.00").await;
    let mut told = Vec::new();
    let first = place(desk, way, ada, "60.00").await;
    told.push(outcome(desk, "placed within the limit", &first).await);
    let refused = place(desk, way, ada, "40.01").await;
    told.push(outcome(desk, "placed beyond it", &refused).await);
    let nobody = place(desk, way, CustomerId(new_id()), "1.00").await;
    told.push(outcome(desk, "placed for nobody", &nobody).await);
    let more = change(desk, first.id, "revise", json!({"total": "80.00"})).await;
    told.push(outcome(desk, "revised within the limit", &more).await);
    let too_much = change(desk, first.id, "revise", json!({"total": "100.01"})).await;
    told.push(outcome(desk, "revised beyond it", &too_much).await);
    let less = change(desk, first.id, "revise", json!({"total": "10.00"})).await;
    told.push(outcome(desk, "revised to less", &less).await);
    let cancelled = change(desk, first.id, "cancel", json!({})).await;
    told.push(outcome(desk, "cancelled", &cancelled).await);
    let again = place(desk, way, ada, "100.00").await;
    told.push(outcome(desk, "placed with what was freed", &again).await);
    told
}

#[tokio::test]
async fn both_coordinations_lead_to_the_same_outcomes() {
    let desk = TestDesk::start();
    let led = scenarios(&desk, BOTH[0]).await;
    let choreographed = scenarios(&desk, BOTH[1]).await;
    println!("{:<28} {:<40} {:<13} saga", "scenario", "order", "account");
    for row in &led {
        println!("{:<28} {:<40} {:<13} {}", row.scenario, row.order, row.account, row.saga);
    }
    assert_eq!(led, choreographed);
    let sagas = desk.json("/api/sagas?limit=100").await;
    assert_eq!(sagas["items"].as_array().map(Vec::len), Some(16), "an operator finds all of them in one list");
}

#[tokio::test]
async fn sixty_choreographed_orders_at_once_are_approved_while_the_limit_lasts() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "1000.00").await;
    let placing = (0..60).map(|_| place(&desk, Coordination::Choreography, customer, "30.00"));
    let placed = futures_util::future::join_all(placing).await;
    let mut approved = 0;
    for order in &placed {
        approved += usize::from(desk.settled(order.id).await.state.as_str() == "APPROVED");
    }
    assert_eq!(approved, 33);
}

#[tokio::test]
async fn a_saga_that_nobody_leads_shows_every_event_in_order() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let placed = place(&desk, Coordination::Choreography, customer, "10.01").await;
    desk.settled(placed.id).await;
    let id = placed.saga_id.expect("it names its saga");
    let saga: SagaDetail = desk.get(&format!("/api/sagas/{id}")).await.json().expect("a saga");
    let told: Vec<_> = saga
        .messages
        .iter()
        .map(|message| {
            (message.kind.as_str(), message.channel.as_str(), message.headers["type"].as_str().unwrap_or(""))
        })
        .collect();
    let events = [
        ("event", "Order", "OrderCreated"),
        ("event", "Customer", "CreditRefused"),
        ("event", "Order", "OrderRejected"),
    ];
    assert_eq!(told, events);
}

#[tokio::test]
async fn a_choreographed_order_is_locked_while_it_is_decided() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let first = place(&desk, Coordination::Choreography, customer, "10.00").await;
    desk.settled(first.id).await;
    let path = format!("/api/orders/{}/revise", first.id);
    let both = [json!({"total": "20.00"}), json!({"total": "30.00"})];
    let answers = futures_util::future::join_all(both.iter().map(|body| desk.post(&path, body))).await;
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    assert!(accepted >= 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        let problem: Value = answer.json().expect("a problem");
        assert_eq!((answer.status.as_u16(), problem["code"].as_str()), (409, Some("order-locked")), "{problem}");
        assert!(problem["lockedBy"].is_string(), "{problem}");
    }
    desk.settled_at(first.id, 2 + 2 * i64::try_from(accepted).expect("two at most")).await;
}
