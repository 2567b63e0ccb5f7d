//! What clients were told of orders, against what has happened to them: no answer was untrue, and nothing happened that nobody
//! asked for. Pure.

use super::facts::{Facts, Happened};
use crate::operations::{Answer, Operation};
use std::collections::{HashMap, HashSet};
use tramline_contract::OrderId;
use tramline_messages::orders::OrderEvent;

/// What was accepted has begun in the version and with the saga that the answer named; what was refused had a reason.
pub fn every_answer_holds(facts: &Facts, history: &[Operation]) -> Vec<String> {
    let about_orders = history.iter().filter_map(|operation| Some((operation.command.order()?, operation)));
    about_orders.filter_map(|(order, operation)| untrue(facts, order, operation)).collect()
}

fn untrue(facts: &Facts, order: OrderId, operation: &Operation) -> Option<String> {
    let command = operation.command;
    let events = facts.events.get(&order).map(Vec::as_slice).unwrap_or_default();
    match &operation.answer {
        Answer::Accepted { version, saga } => {
            let made = |happened: &&Happened| {
                happened.version == *version && command.begins(&happened.event) && Some(happened.saga) == *saga
            };
            events
                .iter()
                .find(made)
                .is_none()
                .then(|| format!("{command:?} was accepted as version {version} with saga {saga:?}, and is lost"))
        }
        Answer::Refused { code, by: Some(saga) } if code == "order-locked" => {
            let holder = events.iter().any(|happened| happened.saga == *saga);
            (!holder).then(|| format!("{command:?} was refused for saga {saga}, which never held the order"))
        }
        Answer::Refused { code, .. } => {
            let state = facts.orders.get(&order).map(|truth| truth.state);
            let explained = state.is_some_and(|state| Operation::ended(code, state));
            (!explained).then(|| format!("{command:?} was refused with {code}, but the order is {state:?}"))
        }
        Answer::Lost => None,
    }
}

/// Whatever has begun is of an answer, or of one request whose answer was lost: nothing was done twice.
pub fn nothing_happens_unasked(facts: &Facts, history: &[Operation]) -> Vec<String> {
    let accepted: HashSet<(OrderId, i64)> =
        history.iter().filter_map(|operation| Some((operation.command.order()?, operation.accepted()?.0))).collect();
    let mut wrong = Vec::new();
    let mut lost: HashMap<OrderId, Vec<&Operation>> = HashMap::new();
    for operation in history.iter().filter(|operation| operation.answer == Answer::Lost) {
        if let Some(order) = operation.command.order() {
            lost.entry(order).or_default().push(operation);
        }
    }
    for (order, events) in &facts.events {
        let lost = lost.entry(*order).or_default();
        for happened in events.iter().filter(|happened| begins(happened.event)) {
            if accepted.contains(&(*order, happened.version)) {
                continue;
            }
            match lost.iter().position(|operation| operation.command.begins(&happened.event)) {
                // Each may have been done once, so it answers for one.
                Some(place) => {
                    lost.remove(place);
                }
                None => wrong.push(format!("order {order}: nobody asked for {happened:?}, or for it again")),
            }
        }
    }
    wrong
}

const fn begins(event: OrderEvent) -> bool {
    matches!(event, OrderEvent::OrderCreated | OrderEvent::OrderCancelBegun | OrderEvent::OrderRevisionBegun { .. })
}
