//! One run of a real saga definition, without what carries it.

use std::collections::VecDeque;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, RejectionReason};
use tramline_orders::saga_definitions::{
    CancelOrderData, CreateOrderData, ReviseOrderData, cancel_order, create_order, revise_order,
};
use tramline_sagas::{Command, Definition, Destination, Event, Mark, Next, Progress, Shape, Step, begin, transition};
use uuid::Uuid;

/// A saga's kind, with what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Creates an order of this total.
    Create(i64),
    /// Cancels it.
    Cancel,
    /// Gives it this total.
    Revise(i64),
}

impl Kind {
    /// Whether it makes the order that it is about.
    #[must_use]
    pub const fn creates(self) -> bool {
        matches!(self, Self::Create(_))
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What it does.
    pub kind: Kind,
    /// To which order.
    pub order: u8,
    /// Why it was refused, once it was.
    pub reason: Option<RejectionReason>,
    /// It began on an order whose own creation was not decided.
    pub began_on_undecided: bool,
    id: OrderId,
    /// How far it has come; none before it begins.
    progress: Option<Progress>,
    /// What it has still to do.
    next: VecDeque<Next>,
    /// The step whose answer it waits for.
    awaited: Option<usize>,
}

impl Run {
    pub(crate) const fn new(kind: Kind, order: u8, id: OrderId) -> Self {
        Self {
            kind,
            order,
            reason: None,
            began_on_undecided: false,
            id,
            progress: None,
            next: VecDeque::new(),
            awaited: None,
        }
    }

    pub(crate) const fn total(&self) -> Money {
        match self.kind {
            Kind::Create(total) | Kind::Revise(total) => Money::from_minor(total),
            Kind::Cancel => Money::ZERO,
        }
    }

    pub(crate) fn begin(&mut self, on_undecided: bool) {
        let (progress, next) = begin(&self.shape());
        (self.progress, self.next) = (Some(progress), next.into());
        self.began_on_undecided = on_undecided;
    }

    /// The next command: its step, and whether it is performed here.
    pub(crate) fn next_command(&mut self) -> Option<(usize, Command, bool)> {
        let next = self.next.pop_front()?;
        let (step, undoes) = match next {
            Next::Act(step) => (step, false),
            Next::Compensate(step) | Next::CompensateLater(step) => (step, true),
        };
        match self.destination(step)? {
            // Nobody answers, so it is done once it is told.
            Destination::OneWay(_) => {
                self.take(step, Event::Done);
                self.next_command()
            }
            Destination::Local => Some((step, self.command(step, undoes)?, true)),
            Destination::Channel(_) => {
                self.awaited = Some(step);
                Some((step, self.command(step, undoes)?, false))
            }
        }
    }

    fn destination(&self, step: usize) -> Option<Destination> {
        match self.kind {
            Kind::Create(_) => create_order().steps().get(step).map(Step::destination),
            Kind::Cancel => cancel_order().steps().get(step).map(Step::destination),
            Kind::Revise(_) => revise_order().steps().get(step).map(Step::destination),
        }
    }

    /// A step came out so.
    pub(crate) fn take(&mut self, step: usize, event: Event) {
        let Some(progress) = &self.progress else { return };
        if let Some((progress, next)) = transition(&self.shape(), progress, step, event) {
            self.progress = Some(progress);
            self.next.extend(next);
        }
    }

    /// The reply that it waits for has come.
    pub(crate) fn answered(&mut self, event: Event, reason: Option<RejectionReason>) {
        self.reason = reason.or(self.reason);
        if let Some(step) = self.awaited.take() {
            self.take(step, event);
        }
    }

    pub(crate) const fn has_begun(&self) -> bool {
        self.progress.is_some()
    }

    fn marks(&self) -> &[Mark] {
        self.progress.as_ref().map_or(&[], Progress::marks)
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.marks().iter().any(|mark| matches!(mark, Mark::Acting | Mark::Undoing))
    }

    /// It waits for a human for ever.
    pub(crate) fn is_stuck(&self) -> bool {
        self.marks().iter().any(|mark| matches!(mark, Mark::StuckActing | Mark::StuckUndoing))
    }

    pub(crate) fn is_rolled_back(&self) -> bool {
        self.has_failed() && !self.is_under_way()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.turned_at().is_some())
    }

    fn shape(&self) -> Shape {
        match self.kind {
            Kind::Create(_) => create_order().shape(),
            Kind::Cancel => cancel_order().shape(),
            Kind::Revise(_) => revise_order().shape(),
        }
    }

    fn command(&self, step: usize, undoes: bool) -> Option<Command> {
        let (order_id, customer_id, total) = (self.id, CustomerId(Uuid::nil()), self.total());
        let changed = None;
        match self.kind {
            Kind::Create(_) => {
                let (coordination, rejection_reason) = (Coordination::Orchestration, self.reason);
                let data = CreateOrderData { order_id, customer_id, total, coordination, rejection_reason, changed };
                of_step(&create_order(), step, undoes, &data)
            }
            Kind::Cancel => of_step(&cancel_order(), step, undoes, &CancelOrderData { order_id, customer_id, changed }),
            Kind::Revise(_) => {
                let data = ReviseOrderData { order_id, customer_id, total, refusal: self.reason, changed };
                of_step(&revise_order(), step, undoes, &data)
            }
        }
    }
}

fn of_step<D>(definition: &Definition<D>, step: usize, undoes: bool, data: &D) -> Option<Command> {
    let step = definition.steps().get(step)?;
    if undoes { step.compensation(data) } else { Some(step.action(data)) }
}
