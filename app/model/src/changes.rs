//! What becomes of commands that change an order or a customer, told from the answers and from the documents.
//!
//! A change lies over the confirmed document until that has reached the version that the server named and is decided. Refused, it
//! leaves alone; what shows then is the document as it is by then, never a copy from before. A change of a value that somebody else
//! has changed meanwhile is put before the user. Changes of one aggregate go one after another.

use crate::{
    ask::Ask,
    command::{Aggregate, Basis, Command},
    effect::Effect,
    journal::SavedOperation,
    pending::{NotSent, Operation, Pending, Stage},
    time::Millis,
};
use tramline_contract::{Customer, Money, Order, OrderId, OrderState, Problem, Version};
use uuid::Uuid;

/// The codes of problems after which a change may go on.
const ORDER_LOCKED: &str = "order-locked";
const VERSION_CONFLICT: &str = "version-conflict";
const NOT_CANCELLABLE: &str = "order-not-cancellable";

/// What a document says about a change that is not confirmed.
enum Verdict {
    /// Nothing yet.
    GoesOn,
    /// How far it has come.
    Stands(Stage),
    /// It is confirmed, or there is nothing left to change.
    Done,
    /// Something else has changed; it is sent again, from this version.
    Again(Version),
    /// Somebody else has changed the value.
    Conflict,
}

/// What a document tells of the value that a change replaces.
#[derive(Clone, Copy)]
struct Seen {
    value: Money,
    version: Version,
    /// Whether no saga holds it.
    is_settled: bool,
    /// Whether it says that the last change was refused.
    was_refused: bool,
}

impl NotSent {
    /// A change of a value that somebody else has changed meanwhile.
    #[must_use]
    pub fn conflict(command: Command) -> Self {
        Self { command, problem: Problem::new(409, VERSION_CONFLICT, "It has changed meanwhile", String::new()) }
    }

    /// Whether the user has to choose between two values.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.problem.code == VERSION_CONFLICT
    }
}

impl Operation {
    /// How a change goes on although the server would not take it now. `None` when that is the end of it.
    pub(crate) fn goes_on_after(&self, problem: &Problem, retry_at_ms: Millis) -> Option<Stage> {
        self.command.changes()?;
        match problem.code.as_str() {
            VERSION_CONFLICT => Some(Stage::Outdated),
            ORDER_LOCKED => Some(Stage::Locked { retry_at_ms }),
            // Perhaps because it is cancelled already, by this very command or by somebody else: all that was asked for.
            NOT_CANCELLABLE => Some(Stage::Looking),
            _ => None,
        }
    }

    fn judge_order(&self, order: &Order) -> Verdict {
        let seen = Seen {
            value: order.total,
            version: order.version,
            is_settled: order.state.is_settled(),
            was_refused: order.last_refusal.is_some(),
        };
        let is_over = matches!(order.state, OrderState::Cancelled | OrderState::Rejected);
        match (&self.command, self.stage) {
            (_, Stage::Accepted { version }) if order.version >= version && seen.is_settled => Verdict::Done,
            (Command::CancelOrder { .. }, _) if is_over => Verdict::Done,
            (Command::CancelOrder { .. }, Stage::Lost { .. } | Stage::Looking)
                if order.state == OrderState::CancelPending =>
            {
                Verdict::Stands(Stage::Accepted { version: order.version })
            }
            _ => self.judge_value(seen),
        }
    }

    fn judge_customer(&self, customer: &Customer) -> Verdict {
        let (value, version) = (customer.credit_limit, customer.version);
        match self.stage {
            Stage::Accepted { version: made } if version >= made => Verdict::Done,
            _ => self.judge_value(Seen { value, version, is_settled: true, was_refused: false }),
        }
    }

    fn judge_value(&self, seen: Seen) -> Verdict {
        let Some((wanted, basis)) = self.command.revision() else { return Verdict::GoesOn };
        let is_newer = seen.version > basis.version;
        match self.stage {
            Stage::Sending { .. } | Stage::Lost { .. } | Stage::Looking | Stage::Outdated
                if is_newer && seen.is_settled && seen.value == wanted =>
            {
                Verdict::Done
            }
            Stage::Lost { .. } | Stage::Looking | Stage::Outdated if is_newer && self.may_be_taken() => {
                match (seen.is_settled, seen.was_refused) {
                    (false, _) => Verdict::Stands(Stage::Accepted { version: seen.version }),
                    (true, true) => Verdict::Done,
                    (true, false) => self.judge_outdated(seen, basis),
                }
            }
            _ if is_newer && seen.is_settled => self.judge_outdated(seen, basis),
            _ => Verdict::GoesOn,
        }
    }

    fn judge_outdated(&self, seen: Seen, basis: Basis) -> Verdict {
        match self.stage {
            Stage::Outdated if seen.value == basis.value => Verdict::Again(seen.version),
            Stage::Outdated => Verdict::Conflict,
            _ => Verdict::GoesOn,
        }
    }
}

impl Pending {
    /// The changes of an aggregate that are not confirmed, in the order of submission.
    pub fn changes_of(&self, aggregate: Uuid) -> impl DoubleEndedIterator<Item = &Operation> {
        self.changes.get(&aggregate).into_iter().flatten().filter_map(|id| self.operations.get(id))
    }

    /// The cancellation of an order that is not confirmed.
    #[must_use]
    pub fn cancellation(&self, order: OrderId) -> Option<&Operation> {
        self.changes_of(order.0).find(|operation| matches!(operation.command, Command::CancelOrder { .. }))
    }

    /// The last value that a user wants an aggregate to have, and the operation that says so.
    #[must_use]
    pub fn wanted(&self, aggregate: Uuid) -> Option<(Money, &Operation)> {
        self.changes_of(aggregate)
            .rev()
            .find_map(|operation| operation.command.revision().map(|(value, _)| (value, operation)))
    }

    /// Takes a change that the user submitted. One of the same kind that still waits is replaced by it, and a cancellation replaces
    /// whatever waits.
    pub fn submit_change(&mut self, command: Command, now: crate::Now, effects: &mut Vec<Effect>) {
        let aggregate = command.aggregate().id();
        let is_same = |operation: &&Operation| match command {
            Command::CancelOrder { .. } => true,
            _ => command.revision().is_some() && operation.command.revision().is_some(),
        };
        let was = self.wanted(aggregate).and_then(|(_, operation)| operation.was);
        let replaced: Vec<_> =
            self.changes_of(aggregate).filter(is_same).filter(|one| one.waits()).map(|one| one.command.id()).collect();
        for id in replaced {
            self.forget(id, effects);
        }
        let (id, is_revision) = (command.id(), command.revision().is_some());
        self.submit(command, now, effects);
        if let Some(operation) = self.operations.get_mut(&id).filter(|_| is_revision) {
            operation.was = was.or(operation.was);
        }
    }

    /// Takes an order's cancellation back, if it still waits. Says whether it did.
    pub fn withdraw_cancellation(&mut self, order: OrderId, effects: &mut Vec<Effect>) -> bool {
        let waiting = self.cancellation(order).filter(|operation| operation.waits()).map(|one| one.command.id());
        waiting.and_then(|id| self.forget(id, effects)).is_some()
    }

    /// Holds an order's changes against its document. Returns the ones that are done.
    pub fn order_stands(&mut self, order: &Order, effects: &mut Vec<Effect>) -> Vec<Command> {
        let basis = Basis { value: order.total, version: order.version };
        self.judge(order.id.0, basis, effects, |operation| operation.judge_order(order))
    }

    /// Holds a customer's changes against the document. Returns the ones that are done.
    pub fn customer_stands(&mut self, customer: &Customer, effects: &mut Vec<Effect>) -> Vec<Command> {
        let basis = Basis { value: customer.credit_limit, version: customer.version };
        self.judge(customer.id.0, basis, effects, |operation| operation.judge_customer(customer))
    }

    /// What has to be read because a change was answered that way.
    pub(crate) fn after_answer(&self, id: Uuid) -> Option<Ask> {
        let operation = self.get(id)?;
        matches!(operation.stage, Stage::Locked { .. } | Stage::Looking).then(|| operation.command.check())
    }

    /// Whether nothing of the same aggregate has to be done before.
    pub(crate) fn is_next(&self, operation: &Operation) -> bool {
        let Some(aggregate) = operation.command.changes().map(Aggregate::id) else { return true };
        let first = self.changes.get(&aggregate).and_then(|ids| ids.first());
        self.get(aggregate).is_none() && first.is_none_or(|first| *first == operation.command.id())
    }

    /// Takes an operation away, whatever becomes of its command.
    pub(crate) fn forget(&mut self, id: Uuid, effects: &mut Vec<Effect>) -> Option<Operation> {
        let operation = self.operations.remove(&id)?;
        effects.push(Effect::ForgetOperation(id));
        if let Some(aggregate) = operation.command.changes().map(Aggregate::id)
            && let Some(ids) = self.changes.get_mut(&aggregate)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.changes.remove(&aggregate);
            }
        }
        Some(operation)
    }

    fn judge(
        &mut self,
        aggregate: Uuid,
        basis: Basis,
        effects: &mut Vec<Effect>,
        verdict: impl Fn(&Operation) -> Verdict,
    ) -> Vec<Command> {
        let mut done = Vec::new();
        // Each round ends one change or stops, so there are no more rounds than changes.
        while let Some(operation) = self.first_change(aggregate) {
            match verdict(operation) {
                Verdict::GoesOn => break,
                Verdict::Stands(stage) => {
                    operation.stage = stage;
                    break;
                }
                Verdict::Again(version) => {
                    operation.command.rebase(Basis { version, ..basis });
                    operation.stage = Stage::Queued;
                    break;
                }
                Verdict::Done => {
                    let id = operation.command.id();
                    done.extend(self.forget(id, effects).map(|operation| operation.command));
                    self.rebase_first(aggregate, basis, effects);
                }
                Verdict::Conflict => {
                    let id = operation.command.id();
                    self.conflict(aggregate, id, effects);
                }
            }
        }
        done
    }

    fn first_change(&mut self, aggregate: Uuid) -> Option<&mut Operation> {
        let first = *self.changes.get(&aggregate)?.first()?;
        self.operations.get_mut(&first)
    }

    /// The change before is done, so the next one starts from what that has led to.
    fn rebase_first(&mut self, aggregate: Uuid, basis: Basis, effects: &mut Vec<Effect>) {
        if let Some(operation) = self.first_change(aggregate)
            && operation.command.revision().is_some()
        {
            operation.command.rebase(basis);
            let (command, submitted_ms) = (operation.command.clone(), operation.submitted_ms);
            effects.push(Effect::SaveOperation(SavedOperation { command, submitted_ms }));
        }
    }

    /// The user has to choose. Whoever has wanted another value since, or cancels, has chosen already.
    fn conflict(&mut self, aggregate: Uuid, id: Uuid, effects: &mut Vec<Effect>) {
        let last = self.wanted(aggregate).map_or(id, |(_, operation)| operation.command.id());
        let cancels = self.changes_of(aggregate).any(|one| matches!(one.command, Command::CancelOrder { .. }));
        let all = self.changes_of(aggregate).filter(|one| one.command.revision().is_some());
        for other in all.map(|one| one.command.id()).collect::<Vec<_>>() {
            if other == last && !cancels {
                if let Some(operation) = self.forget(other, effects) {
                    self.keep_not_sent(NotSent::conflict(operation.command));
                }
            } else {
                self.forget(other, effects);
            }
        }
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
