//! What becomes of an order after it was approved: it is cancelled or revised, and its credit follows it.

use crate::desk::{TestDesk, new_id};
use futures_util::future::join3;
use serde_json::{Value, json};
use tramline_contract::{
    CustomerId, OrderAccepted, OrderId, OrderState, Problem, RejectionReason, SagaDetail, SagaState,
};
use tramline_http::Answer;

async fn cancel(desk: &TestDesk, id: OrderId) -> Answer {
    desk.post(&format!("/api/orders/{id}/cancel"), &json!({})).await
}

async fn revise(desk: &TestDesk, id: OrderId, total: &str) -> Answer {
    desk.post(&format!("/api/orders/{id}/revise"), &json!({"total": total})).await
}

fn accepted(answer: &Answer) -> OrderAccepted {
    assert_eq!(answer.status, 202, "{:?}", answer.json::<Value>());
    answer.json().expect("an acceptance")
}

fn refused(answer: &Answer) -> Problem {
    assert_eq!(answer.status, 409, "{:?}", answer.json::<Value>());
    answer.json().expect("a problem")
}

/// What is reserved and available once the customer has come to that version.
async fn credit(desk: &TestDesk, customer: CustomerId, version: i64) -> (String, String) {
    let shown = desk.json(&format!("/api/customers/{customer}?minVersion={version}")).await;
    assert_eq!(shown["version"], version, "{shown}");
    let text = |field: &str| shown[field].as_str().expect("an amount").to_owned();
    (text("reserved"), text("availableCredit"))
}

fn sums(reserved: &str, available: &str) -> (String, String) {
    (reserved.to_owned(), available.to_owned())
}

#[tokio::test]
async fn a_cancelled_order_releases_its_credit_exactly_once() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (id, _) = desk.order(customer, "60.00").await;
    let begun = accepted(&cancel(&desk, id).await);
    assert_eq!((begun.id, begun.version.0, begun.state), (id, 3, OrderState::CancelPending));
    let order = desk.settled_at(id, 4).await;
    assert_eq!((order.state, order.version.0, order.saga_id), (OrderState::Cancelled, 4, begun.saga_id));
    assert_eq!(credit(&desk, customer, 3).await, sums("0.00", "100.00"));

    let problem = refused(&cancel(&desk, id).await);
    assert_eq!((problem.code.as_str(), problem.locked_by), ("order-not-cancellable", None));
    assert_eq!(refused(&revise(&desk, id, "1.00").await).code, "order-not-revisable");
    assert_eq!(credit(&desk, customer, 3).await, sums("0.00", "100.00"));
    assert_eq!(desk.order(customer, "100.00").await.1, OrderState::Approved);

    let saga = begun.saga_id.expect("it names its saga");
    let saga: SagaDetail = desk.get(&format!("/api/sagas/{saga}")).await.json().expect("a saga");
    assert_eq!((saga.saga.kind.as_str(), saga.saga.state), ("CancelOrder", SagaState::Completed));
    let steps: Vec<_> = saga.steps.iter().map(|step| (step.name.as_str(), step.state.as_str())).collect();
    assert_eq!(
        steps,
        ["begin-cancel", "release-credit", "confirm-cancel", "notify-customer"].map(|step| (step, "DONE"))
    );
}

#[tokio::test]
async fn a_revision_beyond_the_credit_keeps_the_old_total_and_says_why() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (id, _) = desk.order(customer, "60.00").await;
    let begun = accepted(&revise(&desk, id, "100.01").await);
    assert_eq!((begun.version.0, begun.state), (3, OrderState::RevisionPending));
    let order = desk.settled_at(id, 4).await;
    assert_eq!((order.state, order.total.to_string().as_str()), (OrderState::Approved, "60.00"));
    assert_eq!(order.last_refusal, Some(RejectionReason::InsufficientCredit));
    assert_eq!(credit(&desk, customer, 3).await, sums("60.00", "40.00"));
    let composed = desk.json(&format!("/api/customers/{customer}/orders?source=composition")).await;
    assert_eq!(composed["orders"][0]["lastRefusal"], "INSUFFICIENT_CREDIT", "{composed}");

    accepted(&revise(&desk, id, "100.00").await);
    let order = desk.settled_at(id, 6).await;
    assert_eq!((order.total.to_string().as_str(), order.last_refusal), ("100.00", None));
    assert_eq!(credit(&desk, customer, 4).await, sums("100.00", "0.00"));
}

#[tokio::test]
async fn a_revision_to_less_frees_credit_for_others() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (id, _) = desk.order(customer, "100.00").await;
    accepted(&revise(&desk, id, "30.00").await);
    assert_eq!(desk.settled_at(id, 4).await.total.to_string(), "30.00");
    assert_eq!(credit(&desk, customer, 3).await, sums("30.00", "70.00"));
    assert_eq!(desk.order(customer, "70.00").await.1, OrderState::Approved);
}

#[tokio::test]
async fn an_order_that_is_rejected_or_unknown_is_neither_cancelled_nor_revised() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (id, state) = desk.order(customer, "10.01").await;
    assert_eq!(state, OrderState::Rejected);
    assert_eq!(refused(&cancel(&desk, id).await).code, "order-not-cancellable");
    assert_eq!(refused(&revise(&desk, id, "1.00").await).code, "order-not-revisable");
    let nobody = OrderId(new_id());
    assert_eq!(cancel(&desk, nobody).await.status, 404);
    assert_eq!(revise(&desk, nobody, "1.00").await.status, 404);
}

#[tokio::test]
async fn a_revision_of_a_version_that_is_gone_is_a_conflict() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (id, _) = desk.order(customer, "10.00").await;
    let path = format!("/api/orders/{id}/revise");
    for seen in [1, 3] {
        let problem = refused(&desk.post(&path, &json!({"total": "20.00", "expectedVersion": seen})).await);
        let current = problem.current_version.map(|version| version.0);
        assert_eq!((problem.code.as_str(), current), ("version-conflict", Some(2)));
    }
    accepted(&desk.post(&path, &json!({"total": "20.00", "expectedVersion": 2})).await);
    assert_eq!(desk.settled_at(id, 4).await.total.to_string(), "20.00");
}

/// Of those who ask at the same moment one is first; the others are told of its saga, or come when that has ended.
#[tokio::test]
async fn of_a_cancellation_and_revisions_at_once_one_holds_the_order() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10000.00").await;
    let mut locked = 0;
    for _ in 0..25 {
        let (id, _) = desk.order(customer, "10.00").await;
        let (cancelled, higher, lower) =
            join3(cancel(&desk, id), revise(&desk, id, "20.00"), revise(&desk, id, "5.00")).await;
        let answers = [&cancelled, &higher, &lower];
        let begun: Vec<OrderAccepted> =
            answers.iter().filter(|answer| answer.status == 202).map(|answer| accepted(answer)).collect();
        assert!(!begun.is_empty());
        for answer in answers.iter().filter(|answer| answer.status != 202) {
            let problem = refused(answer);
            match problem.code.as_str() {
                "order-locked" => {
                    locked += 1;
                    assert!(begun.iter().any(|one| one.saga_id == problem.locked_by), "{problem:?}");
                }
                "order-not-revisable" => assert_eq!(cancelled.status, 202, "{problem:?}"),
                other => panic!("{other}"),
            }
        }
        // Two versions for each saga that was let in, one after the other.
        let end = desk.settled_at(id, 2 + 2 * i64::try_from(begun.len()).expect("it is small")).await;
        assert_eq!(end.state == OrderState::Cancelled, cancelled.status == 202);
    }
    assert!(locked > 0, "nobody ever met a lock");
}

#[tokio::test]
async fn what_is_asked_of_one_customers_orders_is_decided_in_the_order_of_acceptance() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (first, _) = desk.order(customer, "60.00").await;
    let (second, _) = desk.order(customer, "30.00").await;
    // Each is accepted before the next is asked for, and none is waited for.
    let too_much = desk.place(customer, "20.00").await.id;
    accepted(&cancel(&desk, second).await);
    let fits_now = desk.place(customer, "20.00").await.id;
    accepted(&revise(&desk, first, "80.00").await);
    let too_late = desk.place(customer, "0.01").await.id;
    assert_eq!(desk.settled(too_much).await.state, OrderState::Rejected);
    assert_eq!(desk.settled_at(second, 4).await.state, OrderState::Cancelled);
    assert_eq!(desk.settled(fits_now).await.state, OrderState::Approved);
    let revised = desk.settled_at(first, 4).await;
    assert_eq!((revised.total.to_string().as_str(), revised.last_refusal), ("80.00", None));
    assert_eq!(desk.settled(too_late).await.state, OrderState::Rejected);
}
