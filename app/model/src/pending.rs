//! Commands that are not confirmed yet. What the reader sees is the confirmed documents plus these.
//!
//! An operation ends when its aggregate's document shows it, or when the server definitely refuses it. No silence ends it: a lost
//! answer is asked for again, then looked for by reading. [`crate::changes`] says what becomes of commands that change something.

use crate::{
    command::{Accepted, Command, Failure},
    confirmed::Confirmed,
    connection::jitter,
    effect::Effect,
    journal::SavedOperation,
    time::{Millis, Now},
};
use std::collections::BTreeMap;
use tramline_contract::{CustomerId, Money, Order, OrderId, Problem, Version};
use uuid::Uuid;

/// How many commands are on their way at once; a browser opens six connections to a server, and reads need some.
const SENDS_AT_ONCE: usize = 4;
/// How often a command is sent before its document is looked for.
const TRIES: u32 = 3;
/// The pause before the second try; the next one is twice as long.
const RETRY_PAUSE_MS: Millis = 1_000;
/// The pause before a new round of tries, when looking did not help.
const ROUND_PAUSE_MS: Millis = 10_000;
/// How many refused commands are kept to be corrected.
const REFUSALS_KEPT: usize = 20;

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waits for a free connection, for its customer to be created, or for what it changes to be decided.
    Queued,
    /// On its way.
    Sending {
        /// How often, this round.
        tries: u32,
    },
    /// No answer came; it is sent again.
    Lost {
        /// How often it was sent, this round.
        tries: u32,
        /// When.
        retry_at_ms: Millis,
    },
    /// No answer came, or one that may speak of an earlier attempt; its document is being looked for.
    Looking,
    /// A saga holds the order; it is tried again.
    Locked {
        /// When.
        retry_at_ms: Millis,
    },
    /// What it changes has changed meanwhile; the newer document decides how it goes on.
    Outdated,
    /// The server took it; its document is on its way.
    Accepted {
        /// The version that it made.
        version: Version,
    },
}

/// A command that is not confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The command.
    pub command: Command,
    /// When the user submitted it.
    pub submitted_ms: Millis,
    /// How far it has come.
    pub stage: Stage,
    /// Whether an answer was ever lost, so that nobody knows what became of it.
    pub in_doubt: bool,
    /// Whether a reload interrupted it, so that it may have been sent before.
    pub resumed: bool,
    /// What the user saw before a row of changes began; only of a change that puts one value in another's place.
    pub was: Option<Money>,
}

impl Operation {
    /// Whether the server may have taken it although no answer says so.
    pub(crate) fn may_be_taken(&self) -> bool {
        self.in_doubt || self.resumed
    }

    /// Whether it has not left the page, as far as anyone can tell, so that it may still be withdrawn.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self.stage, Stage::Queued | Stage::Locked { .. })
    }
}

/// A command that was refused: the input is kept, to be corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSent {
    /// What was refused.
    pub command: Command,
    /// Why.
    pub problem: Problem,
}

/// All commands that are not confirmed yet.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    pub(crate) operations: BTreeMap<Uuid, Operation>,
    /// What changes an aggregate, in the order of submission.
    pub(crate) changes: BTreeMap<Uuid, Vec<Uuid>>,
    /// The refused ones, oldest first.
    pub not_sent: Vec<NotSent>,
}

impl Pending {
    /// An operation by its command's id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Operation> {
        self.operations.get(&id)
    }

    /// Every operation, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// The order that is on its way.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Operation> {
        self.get(id.0).filter(|operation| matches!(operation.command, Command::PlaceOrder { .. }))
    }

    /// The customer that is on its way.
    #[must_use]
    pub fn customer(&self, id: CustomerId) -> Option<&Operation> {
        self.get(id.0).filter(|operation| matches!(operation.command, Command::CreateCustomer { .. }))
    }

    /// Takes a command that the user submitted. The same id a second time is ignored. It is sent with the next tick, if it can be.
    pub fn submit(&mut self, command: Command, now: Now, effects: &mut Vec<Effect>) {
        if self.operations.contains_key(&command.id()) {
            return;
        }
        effects.push(Effect::SaveOperation(SavedOperation { command: command.clone(), submitted_ms: now.ms }));
        self.add(command, now.ms, false);
    }

    /// Takes the commands that a reload interrupted. They are sent again under their ids.
    pub fn restore(&mut self, mut saved: Vec<SavedOperation>) {
        saved.sort_by_key(|saved| saved.submitted_ms);
        for SavedOperation { command, submitted_ms } in saved {
            self.add(command, submitted_ms, true);
        }
    }

    /// A command's answer. One that comes after the document says nothing new.
    pub fn answered(&mut self, id: Uuid, answer: Result<Accepted, Failure>, now: Now, effects: &mut Vec<Effect>) {
        let Some(operation) = self.operations.get_mut(&id) else { return };
        let Stage::Sending { tries } = operation.stage else { return };
        match answer {
            Ok(Accepted { version }) => operation.stage = Stage::Accepted { version },
            Err(failure) => match failure.refusal() {
                Some(problem) => {
                    let retry_at_ms = now.ms + RETRY_PAUSE_MS + jitter(RETRY_PAUSE_MS / 4, now.chance);
                    match operation.goes_on_after(problem, retry_at_ms) {
                        Some(stage) => operation.stage = stage,
                        None => self.refuse(id, problem.clone(), effects),
                    }
                }
                None => {
                    operation.in_doubt = true;
                    operation.stage = if tries < TRIES {
                        let pause_ms = RETRY_PAUSE_MS << (tries - 1);
                        Stage::Lost { tries, retry_at_ms: now.ms + pause_ms + jitter(pause_ms / 4, now.chance) }
                    } else {
                        effects.push(Effect::Read(operation.command.check()));
                        Stage::Looking
                    };
                }
            },
        }
    }

    /// Looking for what became of an aggregate's commands told nothing. That proves nothing, so a new round of tries begins later.
    pub fn looked_in_vain(&mut self, aggregate: Uuid, now: Now) {
        let changes = self.changes.get(&aggregate).into_iter().flatten();
        for id in std::iter::once(&aggregate).chain(changes) {
            if let Some(operation) = self.operations.get_mut(id)
                && operation.stage == Stage::Looking
            {
                operation.stage = Stage::Lost { tries: 0, retry_at_ms: now.ms + ROUND_PAUSE_MS };
            }
        }
    }

    /// The document of a new aggregate is there: the operation that makes it is done. Says whether there was one.
    pub fn confirm(&mut self, id: Uuid, effects: &mut Vec<Effect>) -> bool {
        let was_there = self.operations.remove(&id).is_some();
        if was_there {
            effects.push(Effect::ForgetOperation(id));
        }
        was_there
    }

    /// Takes a refused command away, to be edited or dropped.
    pub fn take_not_sent(&mut self, id: Uuid) -> Option<NotSent> {
        let place = self.not_sent.iter().position(|not_sent| not_sent.command.id() == id)?;
        Some(self.not_sent.remove(place))
    }

    /// The connection is back: no more waiting before the next try.
    pub fn hurry(&mut self, now: Now) {
        for operation in self.operations.values_mut() {
            if let Stage::Lost { retry_at_ms, .. } = &mut operation.stage {
                *retry_at_ms = now.ms;
            }
        }
    }

    /// Sends what can go, and again what is due.
    pub fn tick(&mut self, orders: &Confirmed<Order>, now: Now, effects: &mut Vec<Effect>) {
        for operation in self.operations.values_mut() {
            match operation.stage {
                Stage::Lost { tries, retry_at_ms } if retry_at_ms <= now.ms => {
                    operation.stage = Stage::Sending { tries: tries + 1 };
                    effects.push(Effect::Send(operation.command.clone()));
                }
                Stage::Locked { retry_at_ms } if retry_at_ms <= now.ms => operation.stage = Stage::Queued,
                _ => {}
            }
        }
        self.send_what_can_go(orders, effects);
    }

    /// When a lost or locked command is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        let due = |operation: &Operation| match operation.stage {
            Stage::Lost { retry_at_ms, .. } | Stage::Locked { retry_at_ms } => Some(retry_at_ms),
            Stage::Queued | Stage::Sending { .. } | Stage::Looking | Stage::Outdated | Stage::Accepted { .. } => None,
        };
        self.operations.values().filter_map(due).min()
    }

    fn add(&mut self, command: Command, submitted_ms: Millis, resumed: bool) {
        let was = command.revision().map(|(_, basis)| basis.value);
        if let Some(aggregate) = command.changes() {
            self.changes.entry(aggregate.id()).or_default().push(command.id());
        }
        let operation = Operation { command, submitted_ms, stage: Stage::Queued, in_doubt: false, resumed, was };
        self.operations.insert(operation.command.id(), operation);
    }

    fn refuse(&mut self, id: Uuid, problem: Problem, effects: &mut Vec<Effect>) {
        // What was to be changed will never be there.
        for change in self.changes.get(&id).cloned().unwrap_or_default() {
            self.forget(change, effects);
        }
        if let Some(operation) = self.forget(id, effects) {
            self.keep_not_sent(NotSent { command: operation.command, problem });
        }
    }

    /// Keeps a command that was not carried out, to be corrected.
    pub(crate) fn keep_not_sent(&mut self, not_sent: NotSent) {
        self.not_sent.push(not_sent);
        if self.not_sent.len() > REFUSALS_KEPT {
            self.not_sent.remove(0);
        }
    }

    /// Client-made ids rise with time, so the map's order is the order of submission.
    fn send_what_can_go(&mut self, orders: &Confirmed<Order>, effects: &mut Vec<Effect>) {
        let under_way = |operation: &&Operation| matches!(operation.stage, Stage::Sending { .. });
        let room = SENDS_AT_ONCE.saturating_sub(self.operations.values().filter(under_way).count());
        let ready: Vec<_> = self
            .operations
            .values()
            .filter(|operation| operation.stage == Stage::Queued && self.may_go(operation, orders))
            .map(|operation| operation.command.id())
            .take(room)
            .collect();
        for id in ready {
            if let Some(operation) = self.operations.get_mut(&id) {
                operation.stage = Stage::Sending { tries: 1 };
                effects.push(Effect::Send(operation.command.clone()));
            }
        }
    }

    /// An order must not overtake the customer that it names: it would be rejected. A change waits for what it changes, and for the
    /// changes before it.
    fn may_go(&self, operation: &Operation, orders: &Confirmed<Order>) -> bool {
        match &operation.command {
            Command::CreateCustomer { .. } => true,
            Command::PlaceOrder { customer_id, .. } => {
                self.customer(*customer_id).is_none_or(|customer| matches!(customer.stage, Stage::Accepted { .. }))
            }
            Command::CancelOrder { order, .. } | Command::ReviseOrder { order, .. } => {
                self.is_next(operation) && orders.get(*order).is_none_or(|order| order.state.is_settled())
            }
            Command::SetCreditLimit { .. } | Command::RecordPayment { .. } => self.is_next(operation),
        }
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
