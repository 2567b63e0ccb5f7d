//! Sagas that meet: every order in which the steps of two or three of them can come.
//!
//! The sagas are the services' own. Their definitions say which command comes next ([`tramline_sagas::transition`]), the pure
//! [`Order`] and [`Account`] decide. Only what carries them is left out: each command and each reply comes once, a customer's
//! commands and a saga's replies in the order in which they were sent, and everything else in any order.
//!
//! Without the semantic lock it finds the workshop's anomaly: a cancellation acts on an order whose own creation is not decided
//! yet (a *dirty read*), and afterwards either saga writes over the other.

use crate::saga::{Kind, Run};
use stateright::{Model, Property};
use std::{
    collections::{BTreeMap, VecDeque},
    hash::{Hash, Hasher},
};
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason, SagaId};
use tramline_customers::Account;
use tramline_db::UtcMicros;
use tramline_eventsourcing::Aggregate as _;
use tramline_messages::customers::{ChangeReservation, ReleaseCredit, ReserveCredit};
use tramline_orders::{Order, Refusal};
use tramline_sagas::{Command, Event};
use uuid::Uuid;

/// There is no time in here.
const NOW: UtcMicros = UtcMicros(0);

/// The sagas that meet, all of one customer.
#[derive(Clone, Debug)]
pub struct Interleaving {
    /// What each saga does to which order.
    pub sagas: Vec<(Kind, u8)>,
    /// The customer's limit, in minor units.
    pub limit: i64,
    /// Whether a saga leaves an order alone that another one holds.
    pub is_locking: bool,
}

/// Everything, between two steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    orders: BTreeMap<u8, Order>,
    account: Account,
    /// What is held for each order.
    held: BTreeMap<u8, Money>,
    runs: Vec<Run>,
    /// Commands to the customers service: who sent each.
    commands: VecDeque<(usize, Command)>,
    /// What was answered to each saga and has not come yet.
    replies: Vec<VecDeque<(Event, Option<RejectionReason>)>>,
    /// A saga began on an order whose own creation was not decided, and is in the end undone.
    has_read_dirt: bool,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // Its parts belong to the services, which have no use for hashes.
        format!("{self:?}").hash(hasher);
    }
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A client asks for the saga, and it begins.
    Begin(usize),
    /// The customers service decides the next command.
    Decide,
    /// The next reply comes to the saga.
    Answer(usize),
}

fn order_id(order: u8) -> OrderId {
    OrderId(Uuid::from_u128(order.into()))
}

fn number_of(id: OrderId) -> u8 {
    u8::try_from(id.0.as_u128()).unwrap_or(0)
}

fn saga_id(saga: usize) -> SagaId {
    SagaId(Uuid::from_u128(100 + saga as u128))
}

impl State {
    /// The orders service performs a local step: as its participant does, command by command.
    fn perform(&mut self, saga: usize, command: &Command, is_locking: bool) -> Event {
        let (id, run) = (saga_id(saga), &self.runs[saga]);
        if command.kind == "CreateOrder" {
            let (customer, total) = (CustomerId(Uuid::nil()), run.total());
            let placed = Order::place(order_id(run.order), customer, total, Coordination::Orchestration, id, NOW);
            self.orders.insert(run.order, placed.0);
            return Event::Done;
        }
        let Some(order) = self.orders.get_mut(&run.order) else { return Event::Refused };
        if !is_locking {
            take_without_looking(order, id, command.kind);
        }
        let reason = run.reason.unwrap_or(RejectionReason::InsufficientCredit);
        let done: Result<_, Refusal> = match command.kind {
            "ApproveOrder" => order.approve(id, NOW),
            "RejectOrder" => order.reject(id, reason, NOW),
            "BeginCancel" => order.begin_cancel(id, NOW),
            "UndoCancel" => order.undo_cancel(id, NOW),
            "ConfirmCancel" => order.confirm_cancel(id, NOW),
            "BeginRevision" => order.begin_revision(id, run.total(), NOW),
            "UndoRevision" => order.undo_revision(id, reason, NOW),
            "ConfirmRevision" => order.confirm_revision(id, run.total(), NOW),
            other => unreachable!("the model does not know the local command {other}"),
        };
        if done.is_ok() { Event::Done } else { Event::Refused }
    }

    /// The customers service decides a command.
    fn decide(&mut self, command: &Command) -> (Event, Option<RejectionReason>) {
        let (event, refused) = match command.kind {
            ReserveCredit::KIND => {
                let ReserveCredit { order_id, amount, .. } = command.read().expect("it reads");
                let (event, refused) = self.account.reserve(order_id, amount);
                if refused.is_none() {
                    self.held.insert(number_of(order_id), amount);
                }
                (Some(event), refused)
            }
            ReleaseCredit::KIND => {
                let ReleaseCredit { order_id, .. } = command.read().expect("it reads");
                let held = self.held.remove(&number_of(order_id)).unwrap_or(Money::ZERO);
                (self.account.release(order_id, held), None)
            }
            ChangeReservation::KIND => {
                let ChangeReservation { order_id, amount, .. } = command.read().expect("it reads");
                let held = self.held.get(&number_of(order_id)).copied().unwrap_or(Money::ZERO);
                let (event, refused) = self.account.change(order_id, held, amount);
                if refused.is_none() {
                    self.held.insert(number_of(order_id), amount);
                }
                (Some(event), refused)
            }
            other => unreachable!("the model does not know the command {other}"),
        };
        if let Some(event) = event {
            self.account.apply(&event);
        }
        (refused.map_or(Event::Done, |_| Event::Refused), refused)
    }

    /// Takes a saga as far as it goes without waiting.
    fn advance(&mut self, saga: usize, is_locking: bool) {
        while let Some((step, command, is_local)) = self.runs[saga].next_command() {
            if !is_local {
                self.commands.push_back((saga, command));
                continue;
            }
            let event = self.perform(saga, &command, is_locking);
            self.runs[saga].take(step, event);
        }
        let undecided = self.runs.iter().any(|run| run.began_on_undecided && !run.has_failed());
        let undone = |run: &Run| run.kind.creates() && run.is_rolled_back();
        self.has_read_dirt |= undecided && self.runs.iter().any(undone);
    }

    fn is_over(&self) -> bool {
        self.runs.iter().all(|run| !run.is_under_way())
    }

    /// What is held is what the orders say, once nothing is under way.
    fn credit_is_right(&self) -> bool {
        self.orders.iter().all(|(number, order)| {
            let held = self.held.get(number);
            match order.state {
                OrderState::Approved => held == Some(&order.total),
                OrderState::Rejected | OrderState::Cancelled => held.is_none(),
                OrderState::Pending | OrderState::CancelPending | OrderState::RevisionPending => false,
            }
        })
    }
}

/// Without a lock a saga writes to the order whatever it is: it finds the state that it expects.
fn take_without_looking(order: &mut Order, saga: SagaId, command: &str) {
    order.state = match command {
        "ApproveOrder" | "RejectOrder" => OrderState::Pending,
        "BeginCancel" | "BeginRevision" => OrderState::Approved,
        "UndoCancel" | "ConfirmCancel" => OrderState::CancelPending,
        _ => OrderState::RevisionPending,
    };
    order.saga_id = Some(saga);
}

impl Model for Interleaving {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let account = Account { credit_limit: Money::from_minor(self.limit), ..Account::default() };
        let runs: Vec<Run> = self.sagas.iter().map(|(kind, order)| Run::new(*kind, *order, order_id(*order))).collect();
        vec![State {
            orders: BTreeMap::new(),
            account,
            held: BTreeMap::new(),
            replies: vec![VecDeque::new(); runs.len()],
            runs,
            commands: VecDeque::new(),
            has_read_dirt: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (saga, run) in state.runs.iter().enumerate() {
            if !run.has_begun() {
                let may_begin = match state.orders.get(&run.order) {
                    None => run.kind.creates(),
                    // A client that meets a lock is refused, and may come again later.
                    Some(order) => {
                        !run.kind.creates() && (order.is_free().is_ok() || !self.is_locking && is_alive(order))
                    }
                };
                actions.extend(may_begin.then_some(Action::Begin(saga)));
            }
            if !state.replies[saga].is_empty() {
                actions.push(Action::Answer(saga));
            }
        }
        if !state.commands.is_empty() {
            actions.push(Action::Decide);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Begin(saga) => {
                let order = state.orders.get(&state.runs[saga].order);
                let is_undecided = order.is_some_and(|order| order.state == OrderState::Pending);
                state.runs[saga].begin(is_undecided);
                state.advance(saga, self.is_locking);
            }
            Action::Decide => {
                let (saga, command) = state.commands.pop_front()?;
                let answer = state.decide(&command);
                state.replies[saga].push_back(answer);
            }
            Action::Answer(saga) => {
                let (event, reason) = state.replies[saga].pop_front()?;
                state.runs[saga].answered(event, reason);
                state.advance(saga, self.is_locking);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no saga acts on what another one undoes", |_, state: &State| !state.has_read_dirt),
            Property::always(
                "once all sagas are over, credit is held for the approved orders and no other",
                |_, state: &State| !state.is_over() || state.credit_is_right(),
            ),
            Property::always("no saga is refused what must not be refused", |_, state: &State| {
                !state.runs.iter().any(Run::is_stuck)
            }),
            Property::always("the account holds the sum, within its limit", |_, state: &State| {
                let sum: i64 = state.held.values().map(|held| held.minor()).sum();
                state.account.reserved.minor() == sum && state.account.reserved <= state.account.credit_limit
            }),
            Property::always("whoever waits is waited for", |_, state: &State| {
                let waiting = state.commands.len() + state.replies.iter().map(VecDeque::len).sum::<usize>();
                state.is_over() || waiting > 0
            }),
            Property::sometimes("all sagas have run", |_, state: &State| {
                state.is_over() && state.runs.iter().all(Run::has_begun)
            }),
        ]
    }
}

/// It has not come to its end.
fn is_alive(order: &Order) -> bool {
    !matches!(order.state, OrderState::Rejected | OrderState::Cancelled)
}
