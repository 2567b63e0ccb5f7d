//! An operator sees every saga, how far it has come and what it said.

use crate::desk::{TestDesk, new_id};
use serde_json::{Value, json};
use tramline_contract::{SagaDetail, SagaState, StepCategory};

async fn detail(desk: &TestDesk, order: Value) -> SagaDetail {
    let order = desk.json(&format!("/api/orders/{}", order.as_str().expect("an id"))).await;
    let answer = desk.get(&format!("/api/sagas/{}", order["sagaId"].as_str().expect("its saga"))).await;
    answer.json().expect("a saga")
}

fn outline(saga: &SagaDetail) -> Vec<(&str, StepCategory, &str)> {
    saga.steps.iter().map(|step| (step.name.as_str(), step.category, step.state.as_str())).collect()
}

fn said(saga: &SagaDetail) -> Vec<(&str, &str)> {
    saga.messages.iter().map(|message| (message.kind.as_str(), message.channel.as_str())).collect()
}

#[tokio::test]
async fn a_saga_that_completed_shows_its_steps_and_messages_in_causal_order() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (order, _) = desk.order(customer, "10.00").await;
    let saga = detail(&desk, json!(order)).await;
    assert_eq!((saga.saga.kind.as_str(), saga.saga.state), ("CreateOrder", SagaState::Completed));
    assert_eq!(saga.saga.aggregate_id, order.0);
    assert!(saga.saga.ended_at.as_ref() >= Some(&saga.saga.started_at));
    assert_eq!(
        outline(&saga),
        [
            ("create-order", StepCategory::Compensatable, "DONE"),
            ("reserve-credit", StepCategory::Pivot, "DONE"),
            ("approve-order", StepCategory::Retriable, "DONE"),
            ("notify-customer", StepCategory::Retriable, "DONE"),
        ]
    );
    let said = said(&saga);
    let command = said.iter().position(|message| *message == ("command", "customers.commands"));
    let reply = said.iter().position(|message| *message == ("reply", "orders.replies"));
    assert!(command.is_some() && command < reply, "{said:?}");
    assert!(saga.messages.iter().all(|message| message.payload.is_object() && message.headers.is_object()));
}

#[tokio::test]
async fn a_saga_that_was_refused_shows_what_it_undid() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (order, _) = desk.order(customer, "10.01").await;
    let saga = detail(&desk, json!(order)).await;
    assert_eq!(saga.saga.state, SagaState::RolledBack);
    let states: Vec<_> = saga.steps.iter().map(|step| step.state.as_str()).collect();
    assert_eq!(states, ["COMPENSATED", "REFUSED", "WAITING", "WAITING"]);
}

#[tokio::test]
async fn sagas_are_listed_newest_first_by_state_and_page_by_page() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "35.00").await;
    let mut begun = Vec::new();
    for _ in 0..7 {
        begun.push(desk.order(customer, "10.00").await);
    }
    begun.reverse();
    let aggregates = async |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = desk.json(&format!("/api/sagas?limit=2{query}{cursor}")).await;
            found.extend(page["items"].as_array().expect("a list").iter().map(|saga| saga["aggregateId"].clone()));
            let Some(next) = page["nextCursor"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    };
    let expected = |state: &str| {
        begun.iter().filter(|order| order.1.as_str() == state).map(|order| json!(order.0)).collect::<Vec<_>>()
    };
    assert_eq!(aggregates("").await, begun.iter().map(|order| json!(order.0)).collect::<Vec<_>>());
    assert_eq!(aggregates("&state=COMPLETED").await, expected("APPROVED"));
    assert_eq!(aggregates("&state=ROLLED_BACK&type=CreateOrder").await, expected("REJECTED"));
    assert!(aggregates("&state=PARKED").await.is_empty());
    assert!(aggregates("&type=Nothing").await.is_empty());
    assert_eq!(desk.get(&format!("/api/sagas/{}", new_id())).await.status, 404);
}
