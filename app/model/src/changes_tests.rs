//! What answers and documents make of changes.

use super::*;
use crate::{
    Now,
    command::{Accepted, Failure},
    confirmed::Confirmed,
    fixtures,
};
use tramline_contract::RejectionReason;

const ORDER: u128 = 2;

fn at(ms: Millis) -> Now {
    Now { ms, chance: 0.0 }
}

fn document(version: i64, total: i64, state: OrderState) -> Order {
    Order { total: Money::from_minor(total), state, version: Version(version), ..fixtures::order(ORDER, version) }
}

fn revise(id: u128, total: i64, from: i64, version: i64) -> Command {
    Command::ReviseOrder {
        id: Uuid::from_u128(id),
        order: OrderId(Uuid::from_u128(ORDER)),
        total: Money::from_minor(total),
        basis: Basis { value: Money::from_minor(from), version: Version(version) },
    }
}

fn cancel(id: u128) -> Command {
    Command::CancelOrder { id: Uuid::from_u128(id), order: OrderId(Uuid::from_u128(ORDER)) }
}

/// Changes in front of an order.
struct Desk {
    pending: Pending,
    orders: Confirmed<Order>,
    effects: Vec<Effect>,
}

impl Desk {
    fn with(order: Order) -> Self {
        let mut desk = Self { pending: Pending::default(), orders: Confirmed::default(), effects: Vec::new() };
        desk.hears(order);
        desk
    }

    fn submits(&mut self, command: Command) {
        self.pending.submit_change(command, at(0), &mut self.effects);
        self.pending.tick(&self.orders, at(0), &mut self.effects);
    }

    fn hears(&mut self, order: Order) -> Vec<Command> {
        let done = self.pending.order_stands(&order, &mut self.effects);
        self.orders.take(order, 0);
        self.pending.tick(&self.orders, at(0), &mut self.effects);
        done
    }

    fn answers(&mut self, id: u128, answer: Result<i64, Problem>) {
        let answer = answer.map(|version| Accepted { version: Version(version) }).map_err(Failure::Problem);
        self.pending.answered(Uuid::from_u128(id), answer, at(0), &mut self.effects);
    }

    /// The ids of what was sent since the last question.
    fn sent(&mut self) -> Vec<u128> {
        let effects = std::mem::take(&mut self.effects);
        let sent = effects.iter().filter_map(|effect| match effect {
            Effect::Send(command) => Some(command.id().as_u128()),
            _ => None,
        });
        sent.collect()
    }

    fn stage(&self, id: u128) -> Option<Stage> {
        self.pending.get(Uuid::from_u128(id)).map(|operation| operation.stage)
    }
}

#[test]
fn a_change_lies_over_the_document_until_its_version_is_there_and_decided() {
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(revise(7, 1_200, 900, 2));
    assert_eq!(desk.sent(), [7]);
    desk.answers(7, Ok(3));
    assert!(desk.hears(document(3, 900, OrderState::RevisionPending)).is_empty(), "not decided");
    assert_eq!(desk.hears(document(4, 1_200, OrderState::Approved)).len(), 1);
    assert_eq!((desk.stage(7), desk.pending.changes.len()), (None, 0));
}

#[test]
fn a_document_before_the_answer_is_enough() {
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(revise(7, 1_200, 900, 2));
    assert_eq!(desk.hears(document(4, 1_200, OrderState::Approved)).len(), 1);
    desk.answers(7, Ok(3));
    assert_eq!(desk.stage(7), None);
}

#[test]
fn changes_of_one_order_go_one_after_another_and_start_from_what_came_of_the_one_before() {
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(revise(7, 1_000, 900, 2));
    desk.submits(revise(8, 1_100, 1_000, 2));
    desk.submits(revise(9, 1_200, 1_100, 2));
    assert_eq!((desk.sent(), desk.stage(8)), (vec![7], None), "one that waits is replaced by the next");
    assert_eq!(desk.pending.get(Uuid::from_u128(9)).and_then(|one| one.was), Some(Money::from_minor(900)));
    desk.answers(7, Ok(3));
    desk.hears(document(3, 900, OrderState::RevisionPending));
    desk.hears(document(4, 1_000, OrderState::Approved));
    assert_eq!(desk.sent(), [9]);
    let basis = desk.pending.get(Uuid::from_u128(9)).and_then(|one| one.command.revision()).map(|(_, basis)| basis);
    assert_eq!(basis, Some(Basis { value: Money::from_minor(1_000), version: Version(4) }));
}

#[test]
fn a_cancellation_waits_for_the_decision_and_can_be_taken_back() {
    for keeps in [false, true] {
        let mut desk = Desk::with(document(1, 900, OrderState::Pending));
        desk.submits(cancel(7));
        assert_eq!((desk.sent(), desk.stage(7)), (vec![], Some(Stage::Queued)));
        if keeps {
            let order = OrderId(Uuid::from_u128(ORDER));
            assert!(desk.pending.withdraw_cancellation(order, &mut Vec::new()));
        }
        desk.hears(document(2, 900, OrderState::Approved));
        assert_eq!(desk.sent(), if keeps { vec![] } else { vec![7] });
    }
    let mut desk = Desk::with(document(1, 900, OrderState::Pending));
    desk.submits(cancel(7));
    assert_eq!(desk.hears(document(2, 900, OrderState::Rejected)).len(), 1, "there is nothing to cancel");
    assert_eq!(desk.sent(), []);
}

#[test]
fn an_order_that_is_locked_is_tried_again() {
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(cancel(7));
    desk.sent();
    desk.answers(7, Err(Problem::order_locked(None)));
    let wake_ms = desk.pending.next_wake().expect("it is tried again");
    desk.hears(document(3, 900, OrderState::RevisionPending));
    desk.pending.tick(&desk.orders, at(wake_ms), &mut desk.effects);
    assert_eq!(desk.sent(), [], "now the lock is seen");
    desk.hears(document(4, 950, OrderState::Approved));
    assert_eq!(desk.sent(), [7]);
}

#[test]
fn a_conflict_is_asked_about_only_when_the_value_has_changed() {
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(revise(7, 1_200, 900, 2));
    desk.sent();
    desk.answers(7, Err(Problem::version_conflict(Version(4))));
    let refused =
        Order { last_refusal: Some(RejectionReason::InsufficientCredit), ..document(4, 900, OrderState::Approved) };
    assert!(desk.hears(refused).is_empty());
    assert_eq!(
        (desk.sent(), desk.pending.not_sent.len()),
        (vec![7], 0),
        "somebody's refused revision is nobody's concern"
    );
    desk.answers(7, Err(Problem::version_conflict(Version(6))));
    desk.hears(document(5, 900, OrderState::RevisionPending));
    assert_eq!(desk.stage(7), Some(Stage::Outdated), "not decided yet");
    desk.hears(document(6, 1_050, OrderState::Approved));
    assert_eq!((desk.stage(7), desk.sent()), (None, vec![]));
    assert!(desk.pending.not_sent.iter().all(NotSent::is_conflict) && desk.pending.not_sent.len() == 1);
}

#[test]
fn a_repetition_that_meets_its_own_work_is_done() {
    let lost = |desk: &mut Desk, id: u128| {
        desk.pending.answered(Uuid::from_u128(id), Err(Failure::NoAnswer), at(0), &mut Vec::new());
        let due_ms = desk.pending.next_wake().expect("it is sent again");
        desk.pending.tick(&desk.orders, at(due_ms), &mut desk.effects);
    };
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(cancel(7));
    lost(&mut desk, 7);
    assert_eq!(desk.sent(), [7, 7]);
    desk.answers(7, Err(Problem::order_not_cancellable(OrderState::Cancelled)));
    assert_eq!((desk.stage(7), desk.pending.not_sent.len()), (Some(Stage::Looking), 0));
    assert_eq!(desk.hears(document(4, 900, OrderState::Cancelled)).len(), 1);

    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(revise(7, 5_000, 900, 2));
    lost(&mut desk, 7);
    desk.answers(7, Err(Problem::version_conflict(Version(4))));
    let refused =
        Order { last_refusal: Some(RejectionReason::InsufficientCredit), ..document(4, 900, OrderState::Approved) };
    assert_eq!(desk.hears(refused).len(), 1, "its first attempt was refused by credit");
    assert!(desk.pending.not_sent.is_empty());
}

#[test]
fn a_refusal_removes_only_its_own_change() {
    let mut desk = Desk::with(document(2, 900, OrderState::Approved));
    desk.submits(revise(7, 1_000, 900, 2));
    desk.submits(cancel(8));
    desk.sent();
    desk.answers(7, Err(Problem::invalid(Vec::new())));
    desk.pending.tick(&desk.orders, at(1), &mut desk.effects);
    assert_eq!((desk.stage(7), desk.sent()), (None, vec![8]));
    assert_eq!(desk.pending.not_sent.len(), 1);
}
