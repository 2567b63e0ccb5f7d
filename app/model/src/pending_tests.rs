//! Lost answers, refusals, repetition.

use super::*;
use tramline_contract::{Coordination, CustomerName, Money};

fn at(ms: Millis) -> Now {
    Now { ms, chance: 0.0 }
}

fn order(id: u128, customer: u128) -> Command {
    Command::PlaceOrder {
        id: OrderId(Uuid::from_u128(id)),
        customer_id: CustomerId(Uuid::from_u128(customer)),
        total: Money::from_minor(100),
        coordination: Coordination::default(),
    }
}

fn customer(id: u128) -> Command {
    Command::CreateCustomer {
        id: CustomerId(Uuid::from_u128(id)),
        name: CustomerName::parse("Ada").expect("it is a name"),
        credit_limit: Money::from_minor(100),
    }
}

fn sent(effects: &[Effect]) -> Vec<u128> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Send(command) = effect { Some(command.id().as_u128()) } else { None })
        .collect()
}

fn tick(pending: &mut Pending, now_ms: Millis, effects: &mut Vec<Effect>) {
    pending.tick(&Confirmed::default(), at(now_ms), effects);
}

fn submitted(command: Command) -> (Pending, Uuid) {
    let (mut pending, id) = (Pending::default(), command.id());
    pending.submit(command, at(0), &mut Vec::new());
    tick(&mut pending, 0, &mut Vec::new());
    (pending, id)
}

const TAKEN: Result<Accepted, Failure> = Ok(Accepted { version: Version::FIRST });
const LOST: Result<Accepted, Failure> = Err(Failure::NoAnswer);

#[test]
fn submitting_twice_sends_once() {
    let (mut pending, _) = submitted(order(1, 9));
    let mut effects = Vec::new();
    pending.submit(order(1, 9), at(5), &mut effects);
    tick(&mut pending, 5, &mut effects);
    assert!(effects.is_empty());
}

#[test]
fn a_lost_answer_is_asked_for_three_times_and_then_looked_for() {
    let (mut pending, id) = submitted(order(1, 9));
    let mut effects = Vec::new();
    let mut sent_at = vec![0];
    for now_ms in 0..5_000 {
        if matches!(pending.get(id).map(|operation| operation.stage), Some(Stage::Sending { .. })) {
            pending.answered(id, LOST, at(now_ms), &mut effects);
        }
        let before = sent(&effects).len();
        tick(&mut pending, now_ms, &mut effects);
        if sent(&effects).len() > before {
            sent_at.push(now_ms);
        }
    }
    assert_eq!(sent_at, [0, 1_000, 3_001]);
    assert!(pending.get(id).is_some_and(|operation| operation.stage == Stage::Looking && operation.in_doubt));
    assert!(effects.contains(&Effect::Read(order(1, 9).check())));

    pending.looked_in_vain(id, at(5_000));
    assert_eq!(pending.next_wake(), Some(15_000), "not found proves nothing: it goes on");
}

#[test]
fn a_definite_refusal_keeps_the_input_and_drops_the_row() {
    let (mut pending, id) = submitted(order(1, 9));
    let mut effects = Vec::new();
    let refused = Failure::Problem(Problem::new(422, "invalid-request", "no", "no"));
    pending.answered(id, Err(refused), at(1), &mut effects);
    assert_eq!(effects, [Effect::ForgetOperation(id)]);
    assert!(pending.get(id).is_none());
    assert_eq!(pending.take_not_sent(id).map(|not_sent| not_sent.command), Some(order(1, 9)));
}

#[test]
fn an_answer_after_the_document_changes_nothing() {
    let (mut pending, id) = submitted(order(1, 9));
    assert!(pending.confirm(id, &mut Vec::new()));
    let mut effects = Vec::new();
    pending.answered(id, TAKEN, at(9), &mut effects);
    assert!(effects.is_empty() && !pending.confirm(id, &mut effects));
}

#[test]
fn an_order_waits_for_its_customer_and_few_commands_go_at_once() {
    let mut pending = Pending::default();
    let mut effects = Vec::new();
    pending.submit(customer(1), at(0), &mut effects);
    for id in 2..9 {
        pending.submit(order(id, if id == 2 { 1 } else { 99 }), at(0), &mut effects);
    }
    tick(&mut pending, 0, &mut effects);
    assert_eq!(sent(&effects), [1, 3, 4, 5]);
    effects.clear();
    pending.answered(Uuid::from_u128(1), TAKEN, at(1), &mut effects);
    tick(&mut pending, 1, &mut effects);
    assert_eq!(sent(&effects), [2], "its customer is there now");
}

#[test]
fn a_reload_sends_the_same_ids_again() {
    let mut effects = Vec::new();
    let mut pending = Pending::default();
    pending.restore(vec![SavedOperation { command: order(7, 9), submitted_ms: 3 }]);
    tick(&mut pending, 9, &mut effects);
    assert_eq!(sent(&effects), [7]);
    assert_eq!(pending.get(Uuid::from_u128(7)).map(|operation| operation.submitted_ms), Some(3));
}
