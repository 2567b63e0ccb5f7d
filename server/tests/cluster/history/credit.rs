//! What orders ask of their customers' credit, against what was decided. Pure.

use super::facts::{Asked, Credit, Facts};
use std::collections::{HashMap, HashSet};
use tramline_contract::{OrderId, OrderState};
use tramline_customers::AccountEvent;

/// Credit is held for exactly the approved orders, at their totals.
pub fn is_held_for_approved_orders(facts: &Facts) -> Vec<String> {
    let mut held: HashMap<_, _> = facts
        .accounts
        .iter()
        .flat_map(|(customer, account)| account.reservations.iter().map(|(id, sum)| ((*customer, *id), *sum)))
        .collect();
    let mut wrong = Vec::new();
    for (id, order) in &facts.orders {
        let expected = (order.state == OrderState::Approved).then_some(order.total);
        let found = held.remove(&(order.customer_id, *id));
        if expected != found {
            wrong.push(format!("order {id} over {} is {:?}, and {found:?} is held for it", order.total, order.state));
        }
    }
    wrong.extend(
        held.keys().map(|(customer, id)| format!("customer {customer} holds credit for {id}, not an order of theirs")),
    );
    wrong
}

/// What is asked of a customer's credit is decided once each, in the order in which the outbox numbered it. What is asked by
/// command and what is asked by event come on two streams, each with its own order.
pub fn is_decided_in_order(facts: &Facts) -> Vec<String> {
    let choreographed: HashSet<OrderId> = facts.told.values().flatten().map(|asked| asked.order).collect();
    let mut wrong = Vec::new();
    for customer in facts.accounts.keys() {
        let events = facts.account_events.get(customer).map(Vec::as_slice).unwrap_or_default();
        let decided = events.iter().filter_map(decision);
        let (told, commanded): (Vec<_>, Vec<_>) = decided.partition(|(order, _)| choreographed.contains(order));
        for (way, asked, decided) in [("command", &facts.commanded, commanded), ("event", &facts.told, told)] {
            let asked = asked.get(customer).map(Vec::as_slice).unwrap_or_default();
            wrong.extend(part(asked, &decided).map(|fault| format!("customer {customer}, asked by {way}: {fault}")));
        }
    }
    wrong
}

/// Where what was asked and what was decided part, if they do.
fn part(asked: &[Asked], decided: &[(OrderId, Credit)]) -> Option<String> {
    let place = asked.iter().zip(decided).position(|(asked, decided)| (asked.order, asked.what) != *decided);
    let (sent, done) = (asked.len(), decided.len());
    (place.is_some() || sent != done).then(|| format!("{sent} requests and {done} decisions part at {place:?}"))
}

fn decision(event: &AccountEvent) -> Option<(OrderId, Credit)> {
    match *event {
        AccountEvent::CreditReserved { order_id, amount } | AccountEvent::CreditRefused { order_id, amount } => {
            Some((order_id, Credit::Reserve(amount)))
        }
        AccountEvent::CreditReleased { order_id, .. } => Some((order_id, Credit::Release)),
        AccountEvent::ReservationChanged { order_id, amount, .. }
        | AccountEvent::ReservationChangeRefused { order_id, amount } => Some((order_id, Credit::Change(amount))),
        AccountEvent::CustomerCreated { .. }
        | AccountEvent::CreditLimitChanged { .. }
        | AccountEvent::PaymentRecorded { .. } => None,
    }
}

/// Every saga has asked for credit once, and a command is answered as often as it was sent: once, unless its answer was overdue.
pub fn is_answered_once(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut asked: HashMap<_, u32> = HashMap::new();
    for Asked { saga, .. } in facts.commanded.values().chain(facts.told.values()).flatten() {
        *asked.entry(*saga).or_default() += 1;
    }
    for saga in facts.sagas.keys() {
        let times = asked.get(saga).copied().unwrap_or_default();
        let [sent, replies] =
            [&facts.commands, &facts.replies].map(|count| count.get(saga).copied().unwrap_or_default());
        if times != 1 || sent != replies {
            wrong
                .push(format!("saga {saga} asked for credit {times} times, by {sent} commands with {replies} replies"));
        }
    }
    wrong
}
