//! One order, changed by its user and by somebody else, in front of a server that keeps its lock: replies, losses, frames, reads and
//! decisions in any order.

use crate::{
    Effect, Millis, Msg,
    ask::{Answer, Ask},
    change::Change,
    command::{Accepted, Command, Failure},
    fixtures,
    pending::{Operation, Stage},
    stories::{Desk, order_id},
};
use proptest::prelude::*;
use std::collections::VecDeque;
use tramline_contract::{Money, Order, OrderState, Problem, RejectionReason, Version};
use uuid::Uuid;

const ORDER: u128 = 2;
/// What the customer can pay at most, in hundredths.
const CREDIT: i64 = 150_000;

/// The server's side of one order.
struct Server {
    order: Order,
    wanted: Option<Money>,
    feed: Vec<Order>,
    heard: usize,
    received: VecDeque<Command>,
    /// What it has carried out, whether or not anybody heard of that.
    taken: Vec<Uuid>,
    replies: VecDeque<(Uuid, Result<Accepted, Failure>)>,
}

impl Server {
    fn new() -> Self {
        let order = fixtures::order(ORDER, 1);
        let feed = vec![order.clone()];
        let (received, replies) = (VecDeque::new(), VecDeque::new());
        Self { order, wanted: None, feed, heard: 0, received, taken: Vec::new(), replies }
    }

    fn step(&mut self, state: OrderState) {
        self.order.state = state;
        self.order.version = self.order.version.next();
        self.feed.push(self.order.clone());
    }

    /// Whatever saga holds the order ends.
    fn decides(&mut self) {
        match self.order.state {
            OrderState::Pending => self.step(OrderState::Approved),
            OrderState::CancelPending => self.step(OrderState::Cancelled),
            OrderState::RevisionPending => {
                let wanted = self.wanted.take().expect("a revision has a total");
                let is_affordable = wanted.minor() <= CREDIT;
                self.order.last_refusal = (!is_affordable).then_some(RejectionReason::InsufficientCredit);
                if is_affordable {
                    self.order.total = wanted;
                }
                self.step(OrderState::Approved);
            }
            OrderState::Approved | OrderState::Rejected | OrderState::Cancelled => {}
        }
    }

    fn revise(&mut self, total: Money, expected: Option<Version>) -> Result<Accepted, Box<Problem>> {
        match self.order.state {
            OrderState::Approved if expected.is_some_and(|expected| expected != self.order.version) => {
                Err(Box::new(Problem::version_conflict(self.order.version)))
            }
            OrderState::Approved => {
                self.wanted = Some(total);
                self.step(OrderState::RevisionPending);
                Ok(Accepted { version: self.order.version })
            }
            OrderState::Cancelled | OrderState::Rejected => {
                Err(Box::new(Problem::order_not_revisable(self.order.state)))
            }
            _ => Err(Box::new(Problem::order_locked(None))),
        }
    }

    fn cancel(&mut self) -> Result<Accepted, Box<Problem>> {
        match self.order.state {
            OrderState::Approved => {
                self.step(OrderState::CancelPending);
                Ok(Accepted { version: self.order.version })
            }
            state @ (OrderState::Cancelled | OrderState::Rejected) => {
                Err(Box::new(Problem::order_not_cancellable(state)))
            }
            _ => Err(Box::new(Problem::order_locked(None))),
        }
    }

    fn carries_out(&mut self) {
        let Some(command) = self.received.pop_front() else { return };
        let answer = match command {
            Command::ReviseOrder { total, basis, .. } => self.revise(total, Some(basis.version)),
            Command::CancelOrder { .. } => self.cancel(),
            _ => return,
        };
        self.taken.extend(answer.is_ok().then_some(command.id()));
        self.replies.push_back((command.id(), answer.map_err(|problem| Failure::Problem(*problem))));
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Revise(i64),
    Cancel,
    Keep,
    OtherRevises(i64),
    OtherCancels,
    Receive,
    Reply,
    LostReply,
    LostCommand,
    /// The page waits no longer for an answer, which comes all the same.
    GivenUp,
    Decide,
    Frame,
    Read(usize),
    Drop,
    Wait(Millis),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1i64..20).prop_map(|hundreds| Event::Revise(hundreds * 10_000)),
        1 => Just(Event::Cancel),
        1 => Just(Event::Keep),
        1 => (1i64..20).prop_map(|hundreds| Event::OtherRevises(hundreds * 10_000)),
        1 => prop::bool::weighted(0.2).prop_map(|does| if does { Event::OtherCancels } else { Event::Decide }),
        4 => Just(Event::Receive),
        4 => Just(Event::Reply),
        1 => Just(Event::LostReply),
        1 => Just(Event::LostCommand),
        1 => Just(Event::GivenUp),
        3 => Just(Event::Decide),
        4 => Just(Event::Frame),
        2 => (0usize..4).prop_map(Event::Read),
        1 => Just(Event::Drop),
        2 => (1u64..4_000).prop_map(Event::Wait),
    ]
}

struct World {
    desk: Desk,
    server: Server,
    next_id: u128,
}

impl World {
    fn new() -> Self {
        let mut world = Self { desk: Desk::live(), server: Server::new(), next_id: 10_000 };
        world.frame();
        world
    }

    fn frame(&mut self) {
        if !self.desk.model.connection.is_live() {
            return;
        }
        if let Some(order) = self.server.feed.get(self.server.heard).cloned() {
            self.server.heard += 1;
            self.desk.hears_of(self.server.heard as u64, order);
        }
    }

    fn suffers(&mut self, event: Event) {
        let id = order_id(ORDER);
        self.next_id += 1;
        let new_id = Uuid::from_u128(self.next_id);
        match event {
            Event::Revise(total) => {
                self.desk.says(Msg::ChangeOpened { change: Change::Revise(id), id: new_id });
                self.desk.says(Msg::AmountTyped(format!("{}.{:02}", total / 100, total % 100)));
                self.desk.says(Msg::ChangeSubmitted);
            }
            Event::Cancel => {
                self.desk.says(Msg::ChangeOpened { change: Change::Cancel(id), id: new_id });
                self.desk.says(Msg::ChangeSubmitted);
            }
            Event::Keep => self.desk.says(Msg::OrderKept(id)),
            Event::OtherRevises(total) => drop(self.server.revise(Money::from_minor(total), None)),
            Event::OtherCancels => drop(self.server.cancel()),
            Event::Receive => self.server.carries_out(),
            Event::Reply => {
                if let Some((id, answer)) = self.server.replies.pop_front() {
                    self.desk.says(Msg::CommandAnswered(id, answer));
                }
            }
            Event::LostReply => {
                if let Some((id, _)) = self.server.replies.pop_front() {
                    self.desk.says(Msg::CommandAnswered(id, Err(Failure::NoAnswer)));
                }
            }
            Event::LostCommand => {
                if let Some(command) = self.server.received.pop_front() {
                    self.desk.says(Msg::CommandAnswered(command.id(), Err(Failure::NoAnswer)));
                }
            }
            Event::GivenUp => {
                let on_its_way = self.server.received.front().map(Command::id);
                if let Some(id) = self.server.replies.front().map(|(id, _)| *id).or(on_its_way) {
                    self.desk.says(Msg::CommandAnswered(id, Err(Failure::NoAnswer)));
                }
            }
            Event::Decide => self.server.decides(),
            Event::Frame => self.frame(),
            Event::Read(ago) => {
                let place = self.server.feed.len().saturating_sub(ago + 1);
                self.read(self.server.feed[place].clone());
            }
            Event::Drop => {
                if let Some(socket) = self.desk.model.connection.socket() {
                    self.desk.says(Msg::SocketClosed(socket));
                }
            }
            Event::Wait(ms) => self.desk.waits(ms),
        }
        self.collect();
    }

    fn read(&mut self, order: Order) {
        let ask = Ask::Order { id: order.id, min_version: Version::FIRST };
        self.desk.says(Msg::ReadAnswered(ask, Ok(Answer::Order(Box::new(order)))));
    }

    /// What the page sends reaches the server's door.
    fn collect(&mut self) {
        for effect in std::mem::take(&mut self.desk.effects) {
            if let Effect::Send(command) = effect {
                self.server.received.push_back(command);
            }
        }
    }

    /// The changes that are not confirmed.
    fn changes(&self) -> Vec<Operation> {
        self.desk.model.pending.changes_of(order_id(ORDER).0).cloned().collect()
    }

    /// Whether a change may be gone: the server took it, the user hears that it did not, the user has changed their mind, or the
    /// order is as was asked for.
    fn may_be_gone(&self, gone: &Operation, before: &[Operation], event: Event) -> bool {
        let (model, id) = (&self.desk.model, gone.command.id());
        if self.server.taken.contains(&id) || model.pending.not_sent.iter().any(|refused| refused.command.id() == id) {
            return true;
        }
        let Some(order) = model.order(order_id(ORDER)) else { return false };
        match (gone.command.revision(), event) {
            (None, Event::Keep | Event::Cancel) | (Some(_), Event::Revise(_) | Event::Cancel) => gone.waits(),
            (None, _) => matches!(order.state, OrderState::Cancelled | OrderState::Rejected),
            // Somebody else's revision may pass for one that nobody answered. Whoever wants something else since has chosen.
            (Some((wanted, _)), _) => {
                let is_last = before.last().is_some_and(|last| last.command.id() == gone.command.id());
                let unanswered = matches!(event, Event::LostReply | Event::LostCommand | Event::GivenUp);
                order.total == wanted || gone.in_doubt || unanswered || !is_last
            }
        }
    }

    /// The world is kind again, until nothing moves any more.
    fn recovers(&mut self) {
        for _ in 0..60 {
            for event in [Event::Receive, Event::Reply, Event::Decide, Event::Read(0), Event::Wait(2_000)] {
                self.suffers(event);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens: one row that never goes back; it shows the user's last wish while that is on its way, and else what is
    /// confirmed. No wish is lost in silence, and none that the server took is in doubt again. In the end nothing is left over, and the row is the server's order.
    #[test]
    fn an_order_ends_as_the_server_has_it(events in prop::collection::vec(event(), 0..80)) {
        let mut world = World::new();
        let id = order_id(ORDER);
        let mut seen = Version::default();
        for event in events {
            let before = world.changes();
            world.suffers(event);
            let now = world.changes();
            let was_taken = |one: &Operation| {
                let same = before.iter().find(|other| other.command.id() == one.command.id());
                same.is_some_and(|other| matches!(other.stage, Stage::Accepted { .. }))
            };
            for one in now.iter().filter(|one| was_taken(one)) {
                let is_taken = matches!(one.stage, Stage::Accepted { .. });
                prop_assert!(is_taken, "{:?} is in doubt again after {:?}", one, event);
            }
            for gone in before.iter().filter(|one| now.iter().all(|other| other.command.id() != one.command.id())) {
                prop_assert!(world.may_be_gone(gone, &before, event), "{:?} is gone after {:?}", gone, event);
            }
            let model = &world.desk.model;
            prop_assert_eq!(world.desk.rows(), vec![ORDER], "after {:?}", event);
            let version = model.order(id).map(|order| order.version).unwrap_or_default();
            prop_assert!(version >= seen, "went back after {:?}", event);
            seen = version;
            let row = model.order_row(id).expect("it is shown");
            let confirmed = model.order(id).map(|order| crate::text::money(order.total));
            let wanted = model.pending.wanted(id.0).map(|(wanted, _)| crate::text::money(wanted));
            prop_assert_eq!(row.was.is_some(), wanted.is_some());
            prop_assert_eq!(Some(row.total), wanted.or(confirmed), "after {:?}", event);
        }
        world.recovers();
        let model = &world.desk.model;
        let left: Vec<_> = model.pending.iter().collect();
        prop_assert!(left.is_empty() && model.pending.changes.is_empty(), "left over: {:?}", left);
        prop_assert_eq!(model.order(id), Some(&world.server.order));
        let row = model.order_row(id).expect("it is shown");
        prop_assert_eq!((row.was, row.total), (None, crate::text::money(world.server.order.total)));
    }
}
