//! What every order must be, whoever asked for what. Pure.

use super::facts::{Facts, Happened, Run};
use crate::operations::{Command, Operation};
use std::collections::{HashMap, HashSet};
use tramline_contract::{MailAbout, Money, OrderId, OrderState, RejectionReason, Version};
use tramline_messages::orders::OrderEvent;
use uuid::Uuid;

/// An order that was accepted is there, as it was placed, and no other is.
pub fn are_there_as_placed(facts: &Facts, history: &[Operation]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut placed = HashSet::new();
    for operation in history {
        let Command::Place { order, customer, total, coordination } = operation.command else { continue };
        placed.insert(order);
        let found = facts.orders.get(&order).and_then(|truth| Some((truth, facts.events.get(&order)?.first()?)));
        match found {
            None if operation.accepted().is_some() => wrong.push(format!("order {order} was accepted and is lost")),
            None => {}
            Some((truth, first)) => {
                let is = (truth.customer_id, first.customer, first.total, first.coordination);
                if is != (customer, customer, total, coordination) {
                    wrong.push(format!("order {order} is not what was placed: {is:?}"));
                }
            }
        }
    }
    let strangers = facts.orders.keys().filter(|id| !placed.contains(id));
    wrong.extend(strangers.map(|id| format!("order {id} was placed by nobody")));
    wrong
}

/// The events of every order make one life, with one event of each version, that has come to rest where the order stands.
pub fn live_as_orders_do(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, truth) in &facts.orders {
        let events = facts.events.get(id).map(Vec::as_slice).unwrap_or_default();
        let life = match Life::of(events) {
            Ok(life) => life,
            Err(fault) => {
                wrong.push(format!("order {id}: {fault}"));
                continue;
            }
        };
        if !life.state.is_settled() {
            wrong.push(format!("order {id} is stuck: {:?} in version {}", life.state, events.len()));
        }
        let stands = (truth.state, truth.total, truth.last_refusal, truth.version);
        let version = Version(i64::try_from(events.len()).unwrap_or_default());
        if stands != (life.state, life.total, life.last_refusal, version) {
            wrong.push(format!("order {id} stands at {stands:?}, but its events make {life:?}"));
        }
        if !facts.accounts.contains_key(&truth.customer_id) && life.state != OrderState::Rejected {
            wrong.push(format!("order {id} is of a customer whom nobody knows, and {:?}", life.state));
        }
    }
    let unborn = facts.events.keys().filter(|id| !facts.orders.contains_key(id));
    wrong.extend(unborn.map(|id| format!("order {id} has events and is not there")));
    wrong
}

/// An order, replayed from its events alone.
#[derive(Debug)]
struct Life {
    state: OrderState,
    total: Money,
    proposed: Money,
    last_refusal: Option<RejectionReason>,
    /// The saga that holds it, or held it last.
    saga: Uuid,
    sagas: HashSet<Uuid>,
}

impl Life {
    fn of(events: &[Happened]) -> Result<Self, String> {
        let versions: Vec<i64> = events.iter().map(|happened| happened.version).collect();
        if !versions.iter().copied().eq(1..=i64::try_from(events.len()).unwrap_or_default()) {
            return Err(format!("its events are of the versions {versions:?}"));
        }
        let Some((first, later)) = events.split_first().filter(|(first, _)| first.event == OrderEvent::OrderCreated)
        else {
            return Err("its life does not begin with its creation".to_owned());
        };
        let mut life = Self {
            state: OrderState::Pending,
            total: first.total,
            proposed: first.total,
            last_refusal: None,
            saga: first.saga,
            sagas: HashSet::from([first.saga]),
        };
        for happened in later {
            let state = life.state;
            life.step(happened)
                .ok_or_else(|| format!("{happened:?} cannot happen to it while {state:?} with saga {}", life.saga))?;
        }
        Ok(life)
    }

    /// The next event; `None` when it cannot come next. That a cancellation is undone cannot come at all: nobody refuses to
    /// release credit.
    fn step(&mut self, happened: &Happened) -> Option<()> {
        let Happened { event, saga, total, .. } = *happened;
        let holds = saga == self.saga;
        // A saga that has let it go takes it no second time.
        let is_new = !self.sagas.contains(&saga);
        self.state = match (self.state, event) {
            (OrderState::Pending, OrderEvent::OrderApproved) if holds => OrderState::Approved,
            (OrderState::Pending, OrderEvent::OrderRejected { .. }) if holds => OrderState::Rejected,
            (OrderState::Approved, OrderEvent::OrderCancelBegun) if is_new => OrderState::CancelPending,
            (OrderState::CancelPending, OrderEvent::OrderCancelled) if holds => OrderState::Cancelled,
            (OrderState::Approved, OrderEvent::OrderRevisionBegun { total }) if is_new => {
                (self.proposed, self.last_refusal) = (total, None);
                OrderState::RevisionPending
            }
            (OrderState::RevisionPending, OrderEvent::OrderRevised { previous }) if holds && previous == self.total => {
                self.total = self.proposed;
                OrderState::Approved
            }
            (OrderState::RevisionPending, OrderEvent::OrderRevisionRefused { reason }) if holds => {
                self.last_refusal = Some(reason);
                OrderState::Approved
            }
            _ => return None,
        };
        self.saga = saga;
        self.sagas.insert(saga);
        (total == self.total).then_some(())
    }
}

/// Every change of an order is of a saga that has ended as the change says, and every saga has changed its order.
pub fn run_their_sagas(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known: HashSet<Uuid> = HashSet::new();
    for (order, events) in &facts.events {
        for happened in events {
            known.insert(happened.saga);
            let Some(phase) = ends_as(happened.event) else { continue };
            let expected = Run { kind: happened.event.saga().to_owned(), order: *order, phase: phase.to_owned() };
            let found = facts.sagas.get(&happened.saga);
            if found != Some(&expected) {
                wrong.push(format!("saga {} of {:?} is {found:?}", happened.saga, happened.event));
            }
        }
    }
    let idle = facts.sagas.iter().filter(|(saga, _)| !known.contains(saga));
    wrong.extend(idle.map(|(saga, run)| format!("saga {saga} has changed nothing: {run:?}")));
    wrong
}

/// How the saga ends of which this is the last event.
const fn ends_as(event: OrderEvent) -> Option<&'static str> {
    match event {
        OrderEvent::OrderApproved | OrderEvent::OrderCancelled | OrderEvent::OrderRevised { .. } => Some("COMPLETED"),
        OrderEvent::OrderRejected { .. } | OrderEvent::OrderCancelUndone | OrderEvent::OrderRevisionRefused { .. } => {
            Some("ROLLED_BACK")
        }
        OrderEvent::OrderCreated | OrderEvent::OrderCancelBegun | OrderEvent::OrderRevisionBegun { .. } => None,
    }
}

/// A customer is told of each outcome once, and of nothing else.
pub fn tell_their_customers(facts: &Facts) -> Vec<String> {
    let mut mails = facts.mails.clone();
    let mut wrong = Vec::new();
    for (order, events) in &facts.events {
        let due = events.iter().filter_map(|happened| Some((Version(happened.version), told(happened.event)?)));
        let (due, mut found): (Vec<_>, _) = (due.collect(), mails.remove(order).unwrap_or_default());
        found.sort_by_key(|(version, _)| version.0);
        if due != found {
            wrong.push(format!("of order {order} its customer was to be told {due:?}, and was told {found:?}"));
        }
    }
    let rest: HashMap<OrderId, _> = mails;
    wrong.extend(rest.keys().map(|order| format!("a customer was told of order {order}, which is not there")));
    wrong
}

const fn told(event: OrderEvent) -> Option<MailAbout> {
    match event {
        OrderEvent::OrderApproved => Some(MailAbout::Approved),
        OrderEvent::OrderRejected { .. } => Some(MailAbout::Rejected),
        OrderEvent::OrderCancelled => Some(MailAbout::Cancelled),
        OrderEvent::OrderRevised { .. } => Some(MailAbout::Revised),
        OrderEvent::OrderRevisionRefused { .. } => Some(MailAbout::RevisionRefused),
        OrderEvent::OrderCreated
        | OrderEvent::OrderCancelBegun
        | OrderEvent::OrderCancelUndone
        | OrderEvent::OrderRevisionBegun { .. } => None,
    }
}
