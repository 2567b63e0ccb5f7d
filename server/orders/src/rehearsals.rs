//! Every saga of this service, rehearsed with the participant that really performs its local steps: as it should go, and with each
//! step refused that may be. Every reply comes twice.

use crate::{
    cancel_order::{self, CancelOrderData},
    create_order::{self, CreateOrderData},
    migrations,
    order::Order,
    participant::OrderParticipant,
    revise_order::{self, ReviseOrderData},
    store,
};
use std::sync::Arc;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState};
use tramline_db::{BoxFuture, DbError};
use tramline_messaging::Messaging;
use tramline_sagas::{
    Phase,
    testing::{Rehearsal, Rehearsed, Stage},
};
use uuid::Uuid;

const ORDER: OrderId = OrderId(Uuid::from_u128(1));
const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(2));
const TOTAL: Money = Money::from_minor(1_000);
const NEW_TOTAL: Money = Money::from_minor(2_000);

fn create() -> CreateOrderData {
    CreateOrderData {
        order_id: ORDER,
        customer_id: CUSTOMER,
        total: TOTAL,
        coordination: Coordination::Orchestration,
        rejection_reason: None,
        changed: None,
    }
}

fn cancel() -> CancelOrderData {
    CancelOrderData { order_id: ORDER, customer_id: CUSTOMER, changed: None }
}

fn revise() -> ReviseOrderData {
    ReviseOrderData { order_id: ORDER, customer_id: CUSTOMER, total: NEW_TOTAL, refusal: None, changed: None }
}

/// An order that is approved already.
fn approved(messaging: Messaging) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let stage = Stage::of(create_order::definition()).performed_by(Arc::new(OrderParticipant), messaging);
        let mut stage = stage.begins(create()).await;
        stage.expects("ReserveCredit").await.is_done("CreditReserved", &()).await;
        stage.ends(Phase::Completed).await;
    })
}

async fn order(run: &Rehearsed) -> Option<Order> {
    let found = run
        .messaging
        .transact::<_, DbError, _>(None, |work| Box::pin(async move { store::load(work.tx, ORDER).await }))
        .await;
    found.expect("the order reads")
}

/// What became of the order in each run: after which refusal, in which state, with which total.
async fn outcomes(runs: &[Rehearsed]) -> Vec<(Option<&'static str>, Option<(OrderState, Money)>)> {
    let mut outcomes = Vec::new();
    for run in runs {
        outcomes.push((run.refused, order(run).await.map(|order| (order.state, order.total))));
    }
    outcomes
}

#[tokio::test]
async fn creating_an_order_leaves_it_approved_or_rejected_or_not_there() {
    let rehearsal = Rehearsal::of(create_order::definition, create);
    let runs = rehearsal.performed_by(Arc::new(OrderParticipant), &migrations()).run().await;
    let expected = [
        (None, Some((OrderState::Approved, TOTAL))),
        (Some("create-order"), None),
        (Some("reserve-credit"), Some((OrderState::Rejected, TOTAL))),
    ];
    assert_eq!(outcomes(&runs).await, expected);
}

#[tokio::test]
async fn cancelling_an_order_cancels_it_or_leaves_it_as_it_was() {
    let rehearsal = Rehearsal::of(cancel_order::definition, cancel);
    let rehearsal = rehearsal.performed_by(Arc::new(OrderParticipant), &migrations()).prepared_by(approved);
    let expected = [
        (None, Some((OrderState::Cancelled, TOTAL))),
        (Some("begin-cancel"), Some((OrderState::Approved, TOTAL))),
        (Some("release-credit"), Some((OrderState::Approved, TOTAL))),
    ];
    assert_eq!(outcomes(&rehearsal.run().await).await, expected);
}

#[tokio::test]
async fn revising_an_order_gives_it_the_new_total_or_leaves_it_as_it_was() {
    let rehearsal = Rehearsal::of(revise_order::definition, revise);
    let rehearsal = rehearsal.performed_by(Arc::new(OrderParticipant), &migrations()).prepared_by(approved);
    let expected = [
        (None, Some((OrderState::Approved, NEW_TOTAL))),
        (Some("begin-revision"), Some((OrderState::Approved, TOTAL))),
        (Some("change-reservation"), Some((OrderState::Approved, TOTAL))),
    ];
    assert_eq!(outcomes(&rehearsal.run().await).await, expected);
}
