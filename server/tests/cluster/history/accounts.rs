//! What every customer's account must be: a second book-keeping, which shares no code with the first. Pure.

use super::facts::Facts;
use crate::operations::{Answer, Command, Operation};
use std::collections::HashMap;
use tramline_contract::{CustomerId, Money, OrderId, PaymentId};
use tramline_customers::AccountEvent;

/// The events of each account make what the account says, and never more than the credit was given away.
pub fn add_up(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (customer, replayed) in &facts.accounts {
        let mut book = Book::default();
        let events = facts.account_events.get(customer).map(Vec::as_slice).unwrap_or_default();
        let faults = events.iter().filter_map(|event| book.enter(event)).collect::<Vec<_>>();
        wrong.extend(faults.into_iter().map(|fault| format!("customer {customer}: {fault}")));
        let sums = (book.limit, book.paid.values().sum::<i64>(), book.held.values().sum::<i64>());
        let account = &replayed.account;
        let says = (account.credit_limit.minor(), account.paid.minor(), account.reserved.minor());
        if sums != says || book.held.len() != replayed.reservations.len() {
            wrong.push(format!("customer {customer}: limit, paid and reserved are {says:?}, but add up to {sums:?}"));
        }
    }
    wrong
}

#[derive(Default)]
struct Book {
    limit: i64,
    paid: HashMap<PaymentId, i64>,
    held: HashMap<OrderId, i64>,
}

impl Book {
    /// Takes the next event, and says what is wrong with it.
    fn enter(&mut self, event: &AccountEvent) -> Option<String> {
        let available = self.limit - self.held.values().sum::<i64>() + self.paid.values().sum::<i64>();
        let is_right = match event {
            AccountEvent::CustomerCreated { credit_limit, .. }
            | AccountEvent::CreditLimitChanged { credit_limit, .. } => {
                self.limit = credit_limit.minor();
                true
            }
            AccountEvent::PaymentRecorded { payment_id, amount, .. } => {
                self.paid.insert(*payment_id, amount.minor()).is_none()
            }
            AccountEvent::CreditReserved { order_id, amount } => {
                amount.minor() <= available && self.held.insert(*order_id, amount.minor()).is_none()
            }
            AccountEvent::CreditRefused { amount, .. } => amount.minor() > available,
            AccountEvent::CreditReleased { order_id, amount } => self.held.remove(order_id) == Some(amount.minor()),
            AccountEvent::ReservationChanged { order_id, amount, previous } => {
                let more = amount.minor() - previous.minor();
                let held = self.held.insert(*order_id, amount.minor());
                held == Some(previous.minor()) && (more <= 0 || more <= available)
            }
            AccountEvent::ReservationChangeRefused { order_id, amount } => {
                let held = self.held.get(order_id).copied().unwrap_or_default();
                held == 0 || amount.minor() - held > available.max(0)
            }
        };
        (!is_right).then(|| format!("{event:?} with {} available", Money::from_minor(available)))
    }
}

/// Every payment and limit that was accepted stands at its version, each payment once, and none came of itself.
pub fn take_each_payment_and_limit(facts: &Facts, history: &[Operation]) -> Vec<String> {
    let mut of_customers: HashMap<CustomerId, Vec<&Operation>> = HashMap::new();
    for operation in history {
        if let Command::Pay { customer, .. } | Command::SetLimit { customer, .. } = operation.command {
            of_customers.entry(customer).or_default().push(operation);
        }
    }
    let none: &[AccountEvent] = &[];
    let mut wrong = Vec::new();
    for (customer, operations) in &of_customers {
        let events = facts.account_events.get(customer).map_or(none, Vec::as_slice);
        wrong.extend(operations.iter().filter_map(|operation| unkept(operation, events)));
    }
    for (customer, events) in &facts.account_events {
        let operations = of_customers.get(customer).map(Vec::as_slice).unwrap_or_default();
        wrong.extend(unasked(operations, events).into_iter().map(|fault| format!("customer {customer}: {fault}")));
    }
    wrong
}

/// What an answer has promised and the account does not keep.
fn unkept(operation: &Operation, events: &[AccountEvent]) -> Option<String> {
    let command = operation.command;
    let version = match &operation.answer {
        Answer::Accepted { version, .. } => usize::try_from(*version).unwrap_or_default(),
        Answer::Refused { code, .. } => return Some(format!("{command:?} was refused with {code}")),
        Answer::Lost => return None,
    };
    let until = events.get(..version).unwrap_or_default();
    let kept = match command {
        Command::Pay { payment, amount, .. } => matches!(
            until.last(),
            Some(AccountEvent::PaymentRecorded { payment_id, amount: paid, .. }) if (*payment_id, *paid) == (payment, amount)
        ),
        // A limit that stood already makes no version: then it is the one that stands in the version named.
        Command::SetLimit { limit, .. } => until.iter().rev().find_map(limit_of) == Some(limit),
        Command::Place { .. } | Command::Cancel { .. } | Command::Revise { .. } => true,
    };
    (!kept).then(|| format!("{command:?} was accepted as version {version}, and is lost"))
}

/// Payments that nobody made or that are there twice, and changes of the limit that no answer and no lost request accounts for.
fn unasked(operations: &[&Operation], events: &[AccountEvent]) -> Vec<String> {
    let mut payments: HashMap<PaymentId, Money> = HashMap::new();
    let (mut answered, mut lost): (Vec<i64>, Vec<Money>) = (Vec::new(), Vec::new());
    for operation in operations {
        match (operation.command, operation.accepted()) {
            (Command::Pay { payment, amount, .. }, _) => {
                payments.insert(payment, amount);
            }
            (Command::SetLimit { .. }, Some((version, _))) => answered.push(version),
            (Command::SetLimit { limit, .. }, None) => lost.push(limit),
            (Command::Place { .. } | Command::Cancel { .. } | Command::Revise { .. }, _) => {}
        }
    }
    let mut wrong = Vec::new();
    for (event, version) in events.iter().zip(1..) {
        let asked = match event {
            AccountEvent::PaymentRecorded { payment_id, amount, .. } => payments.remove(payment_id) == Some(*amount),
            AccountEvent::CreditLimitChanged { credit_limit, .. } if !answered.contains(&version) => {
                let place = lost.iter().position(|limit| limit == credit_limit);
                place.map(|place| lost.swap_remove(place)).is_some()
            }
            _ => true,
        };
        if !asked {
            wrong.push(format!("nobody asked for {event:?} in version {version}, or for it again"));
        }
    }
    wrong
}

const fn limit_of(event: &AccountEvent) -> Option<Money> {
    match event {
        AccountEvent::CustomerCreated { credit_limit, .. } | AccountEvent::CreditLimitChanged { credit_limit, .. } => {
            Some(*credit_limit)
        }
        _ => None,
    }
}
