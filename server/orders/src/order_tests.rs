//! Given an order, when it is told something, then this happens, or it says why not.

use crate::order::{Order, Refusal};
use proptest::prelude::*;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason, SagaId, Version};
use tramline_db::UtcMicros;
use tramline_messages::orders::OrderEvent;
use uuid::Uuid;

const REASON: RejectionReason = RejectionReason::InsufficientCredit;

fn saga(number: u128) -> SagaId {
    SagaId(Uuid::from_u128(number))
}

fn pending() -> Order {
    let (order, customer) = (OrderId(Uuid::from_u128(1)), CustomerId(Uuid::from_u128(2)));
    Order::place(order, customer, Money::from_minor(3_000), Coordination::Orchestration, saga(3), UtcMicros(5)).0
}

fn approved() -> Order {
    let mut order = pending();
    order.approve(saga(3), UtcMicros(6)).expect("it is pending");
    order
}

#[test]
fn a_pending_order_is_decided_once() {
    let mut order = pending();
    assert_eq!(order.approve(saga(3), UtcMicros(6)), Ok(OrderEvent::OrderApproved));
    assert_eq!((order.state, order.version, order.updated_at), (OrderState::Approved, Version(2), UtcMicros(6)));
    assert_eq!(order.reject(saga(3), REASON, UtcMicros(7)), Err(Refusal::State(OrderState::Approved)));
    assert_eq!(order.version, Version(2));
}

#[test]
fn a_rejected_order_says_why() {
    let mut order = pending();
    order.reject(saga(3), RejectionReason::UnknownCustomer, UtcMicros(6)).expect("it is pending");
    assert_eq!(order.rejection_reason, Some(RejectionReason::UnknownCustomer));
    assert_eq!(order.approve(saga(3), UtcMicros(7)), Err(Refusal::State(OrderState::Rejected)));
    assert_eq!(order.begin_cancel(saga(4), UtcMicros(8)), Err(Refusal::State(OrderState::Rejected)));
}

#[test]
fn a_locked_order_names_its_holder_and_obeys_nobody_else() {
    let mut order = pending();
    let locked = Refusal::Locked { by: Some(saga(3)) };
    assert_eq!(order.begin_cancel(saga(4), UtcMicros(6)), Err(locked));
    order = approved();
    order.begin_cancel(saga(4), UtcMicros(7)).expect("it is free");
    let locked = Refusal::Locked { by: Some(saga(4)) };
    assert_eq!(order.begin_revision(saga(5), Money::from_minor(1), UtcMicros(8)), Err(locked));
    assert_eq!(order.confirm_cancel(saga(5), UtcMicros(8)), Err(locked));
    assert_eq!(order.undo_cancel(saga(5), UtcMicros(8)), Err(locked));
    assert_eq!((order.state, order.version), (OrderState::CancelPending, Version(3)));
}

#[test]
fn a_revision_that_is_refused_leaves_the_total_and_says_why_until_the_next_one() {
    let mut order = approved();
    let total = Money::from_minor(9_000);
    let begun = order.begin_revision(saga(4), total, UtcMicros(7));
    assert_eq!((begun, order.total.minor()), (Ok(OrderEvent::OrderRevisionBegun { total }), 3_000));
    order.undo_revision(saga(4), REASON, UtcMicros(8)).expect("its saga holds it");
    assert_eq!((order.state, order.total.minor(), order.last_refusal), (OrderState::Approved, 3_000, Some(REASON)));
    order.begin_revision(saga(5), Money::from_minor(100), UtcMicros(9)).expect("it is free");
    let revised = order.confirm_revision(saga(5), Money::from_minor(100), UtcMicros(9));
    assert_eq!(revised, Ok(OrderEvent::OrderRevised { previous: Money::from_minor(3_000) }));
    assert_eq!((order.total.minor(), order.last_refusal, order.version), (100, None, Version(6)));
}

#[test]
fn a_version_that_was_not_seen_is_a_conflict() {
    let order = approved();
    assert_eq!(order.is_at(None), Ok(()));
    assert_eq!(order.is_at(Some(Version(2))), Ok(()));
    assert_eq!(order.is_at(Some(Version(1))), Err(Refusal::Version(Version(2))));
}

/// What an order may be told: by which saga, and what.
fn tell(order: &mut Order, what: u8, by: SagaId, now: UtcMicros) -> Result<OrderEvent, Refusal> {
    let total = Money::from_minor(7_000);
    match what {
        0 => order.approve(by, now),
        1 => order.reject(by, REASON, now),
        2 => order.begin_cancel(by, now),
        3 => order.undo_cancel(by, now),
        4 => order.confirm_cancel(by, now),
        5 => order.begin_revision(by, total, now),
        6 => order.undo_revision(by, REASON, now),
        _ => order.confirm_revision(by, total, now),
    }
}

proptest! {
    #[test]
    fn whatever_it_is_told_an_order_goes_its_ways_only_and_under_its_lock_obeys_its_holder_alone(
        told in prop::collection::vec((0_u8..8, 3_u128..6), 0..60),
    ) {
        let mut order = pending();
        for (moment, (what, by)) in told.into_iter().enumerate() {
            let (before, by) = (order.clone(), saga(by));
            let now = UtcMicros(10 + i64::try_from(moment).expect("it is small"));
            match tell(&mut order, what, by, now) {
                Err(_) => prop_assert_eq!(&order, &before),
                Ok(_) => {
                    prop_assert_eq!(order.version, before.version.next());
                    prop_assert_eq!(order.saga_id, Some(by));
                    use OrderState::{Approved, CancelPending, Cancelled, Pending, Rejected, RevisionPending};
                    let way = (before.state, order.state);
                    let ways = [
                        (Pending, Approved), (Pending, Rejected), (Approved, CancelPending), (CancelPending, Cancelled),
                        (CancelPending, Approved), (Approved, RevisionPending), (RevisionPending, Approved),
                    ];
                    prop_assert!(ways.contains(&way), "{way:?}");
                    prop_assert!(before.state.is_settled() || before.saga_id == Some(by));
                    prop_assert!(order.total == before.total || way == (RevisionPending, Approved));
                }
            }
        }
    }
}
