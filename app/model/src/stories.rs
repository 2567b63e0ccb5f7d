//! Stories of the whole model: what a user sees, in whatever order replies, frames and reads arrive.

use crate::{
    Effect, Millis, Model, Msg, Now, Route,
    ask::{Answer, Ask},
    command::{Accepted, Command, Failure},
    filter::OrderFilter,
    fixtures,
    index::Window,
    journal::{Saved, SavedFeed},
    next_wake, update,
    view::{ListState, StatusKind},
};
use tramline_contract::{
    Coordination, CustomerId, OrderId, OrderState, Page, Problem, Version,
    live::{ResyncReason, ServerFrame},
};
use uuid::Uuid;

/// A page in front of a server whose every word is chosen by the test.
pub(crate) struct Desk {
    pub(crate) model: Model,
    now_ms: Millis,
    pub(crate) effects: Vec<Effect>,
}

const START_MS: Millis = 1_767_225_600_000;

impl Desk {
    pub(crate) fn open(saved: Saved, route: Route) -> Self {
        let now = Now { ms: START_MS, chance: 0.5 };
        let (model, effects) = Model::start(saved, route, true, now);
        Self { model, now_ms: START_MS, effects }
    }

    /// A desk that has read its lists and follows the feed from cursor 0.
    pub(crate) fn live() -> Self {
        let mut desk = Self::open(Saved::default(), Route::all_orders());
        desk.connect();
        desk.answer_lists(Vec::new());
        assert!(desk.model.connection.is_live());
        desk.effects.clear();
        desk
    }

    pub(crate) fn says(&mut self, msg: Msg) {
        let now = Now { ms: self.now_ms, chance: 0.5 };
        let effects = update(&mut self.model, msg, now);
        self.effects.extend(effects);
    }

    pub(crate) fn waits(&mut self, ms: Millis) {
        let until_ms = self.now_ms + ms;
        while let Some(due_ms) = next_wake(&self.model).filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = due_ms.max(self.now_ms);
            self.says(Msg::Ticked);
            assert!(
                next_wake(&self.model).is_none_or(|next_ms| next_ms > self.now_ms),
                "a deadline that has been acted on must not be due again at once"
            );
        }
        self.now_ms = until_ms;
        self.says(Msg::Ticked);
    }

    pub(crate) fn socket(&self) -> u32 {
        self.model.connection.socket().expect("a socket is open")
    }

    pub(crate) fn connect(&mut self) {
        let socket = self.socket();
        self.says(Msg::SocketOpened(socket));
        let resync = ServerFrame::Resync { epoch: "a".to_owned(), cursor: 0, reason: ResyncReason::FirstVisit };
        self.says(Msg::FramesArrived(socket, vec![resync]));
    }

    fn frame(&mut self, cursor: u64, id: u128, version: i64) {
        self.hears_of(cursor, fixtures::order(id, version));
    }

    pub(crate) fn hears_of(&mut self, cursor: u64, order: tramline_contract::Order) {
        let frame = ServerFrame::Order { cursor, prev: cursor - 1, order };
        let socket = self.socket();
        self.says(Msg::FramesArrived(socket, vec![frame]));
    }

    /// Answers the latest first page of both lists.
    pub(crate) fn answer_lists(&mut self, orders: Vec<tramline_contract::Order>) {
        let asks: Vec<_> = self
            .effects
            .drain(..)
            .filter_map(|effect| if let Effect::Read(ask) = effect { Some(ask) } else { None })
            .collect();
        for ask in asks {
            let answer = match &ask {
                Ask::Orders { .. } => Answer::Orders(Page { items: orders.clone(), next_cursor: None }),
                Ask::Customers { .. } => {
                    Answer::Customers(Page { items: vec![fixtures::customer(1_000, 1)], next_cursor: None })
                }
                Ask::PollOrders | Ask::Order { .. } | Ask::Customer { .. } => continue,
            };
            self.says(Msg::ReadAnswered(ask, Ok(answer)));
        }
    }

    pub(crate) fn submits(&mut self, id: u128) {
        self.says(Msg::LinkFollowed(Route::NewOrder { customer: None }));
        self.says(Msg::OrderFormOpened { id: order_id(id), customer: Some(CustomerId(Uuid::from_u128(1_000))) });
        self.says(Msg::TotalTyped("900".to_owned()));
        self.says(Msg::OrderSubmitted);
    }

    pub(crate) fn accepted(&mut self, id: u128) {
        self.says(Msg::CommandAnswered(Uuid::from_u128(id), Ok(Accepted { version: Version::FIRST })));
    }

    pub(crate) fn status(&self, id: u128) -> Option<StatusKind> {
        self.model.status(order_id(id)).map(|status| status.kind)
    }

    pub(crate) fn rows(&self) -> Vec<u128> {
        self.model.order_list.index.range(0, usize::MAX).map(|id| id.as_u128()).collect()
    }

    pub(crate) fn reads(&self) -> Vec<Ask> {
        self.effects
            .iter()
            .filter_map(|effect| if let Effect::Read(ask) = effect { Some(ask.clone()) } else { None })
            .collect()
    }

    fn sends(&self) -> usize {
        self.effects.iter().filter(|effect| matches!(effect, Effect::Send(_))).count()
    }
}

pub(crate) fn order_id(id: u128) -> OrderId {
    OrderId(Uuid::from_u128(id))
}

#[test]
fn an_order_goes_from_sending_to_pending_to_processing_to_approved() {
    let mut desk = Desk::live();
    desk.submits(2);
    assert_eq!((desk.status(2), desk.rows()), (Some(StatusKind::Sending), vec![2]));
    assert_eq!(desk.model.route, Route::all_orders(), "the dialog has closed");
    desk.accepted(2);
    desk.waits(900);
    assert_eq!(desk.status(2), Some(StatusKind::Pending), "no spinner for a moment's work");
    desk.waits(100);
    assert_eq!(desk.status(2), Some(StatusKind::Processing));
    desk.frame(1, 2, 1);
    assert_eq!(desk.status(2), Some(StatusKind::Processing), "it counts from the submission");
    desk.frame(2, 2, 2);
    assert_eq!((desk.status(2), desk.rows()), (Some(StatusKind::Approved), vec![2]));
    assert!(desk.effects.contains(&Effect::ForgetOperation(Uuid::from_u128(2))));
}

#[test]
fn a_frame_before_the_reply_makes_one_row() {
    let mut desk = Desk::live();
    desk.submits(2);
    desk.frame(1, 2, 1);
    desk.frame(2, 2, 2);
    desk.accepted(2);
    assert_eq!((desk.status(2), desk.rows()), (Some(StatusKind::Approved), vec![2]));
}

#[test]
fn submitting_twice_is_one_order() {
    let mut desk = Desk::live();
    desk.submits(2);
    desk.says(Msg::OrderSubmitted);
    assert_eq!((desk.sends(), desk.rows().len()), (1, 1));
}

#[test]
fn a_refusal_removes_the_row_and_keeps_the_input() {
    let mut desk = Desk::live();
    desk.submits(2);
    let problem = Problem::new(422, "invalid-request", "The request is not valid", "total must be smaller");
    desk.says(Msg::CommandAnswered(Uuid::from_u128(2), Err(Failure::Problem(problem))));
    assert_eq!(desk.rows(), Vec::<u128>::new());
    let cards = desk.model.not_sent_cards();
    assert_eq!(cards.first().map(|card| card.reason.as_str()), Some("total must be smaller"));
    desk.says(Msg::NotSentEdited { id: Uuid::from_u128(2), new_id: Uuid::from_u128(3) });
    let draft = desk.model.order_draft.clone().expect("the form is filled in again");
    assert_eq!((draft.id, draft.total.as_str()), (order_id(3), "900.00"));
    assert_eq!(desk.model.route, Route::NewOrder { customer: None });
}

#[test]
fn a_chosen_coordination_goes_out_with_the_order_and_is_kept_when_that_is_refused() {
    let mut desk = Desk::live();
    desk.says(Msg::OrderFormOpened { id: order_id(2), customer: Some(CustomerId(Uuid::from_u128(1_000))) });
    desk.says(Msg::CoordinationChosen(Coordination::Choreography));
    desk.submits(2);
    let sent = desk.effects.iter().find_map(|effect| match effect {
        Effect::Send(command) => command.coordination(),
        _ => None,
    });
    assert_eq!(sent, Some(Coordination::Choreography));
    let shown = desk.model.order_page(order_id(2)).ready().map(|page| page.coordination);
    assert_eq!(shown, Some(Coordination::Choreography));
    let problem = Problem::new(422, "invalid-request", "The request is not valid", "total must be smaller");
    desk.says(Msg::CommandAnswered(Uuid::from_u128(2), Err(Failure::Problem(problem))));
    desk.says(Msg::NotSentEdited { id: Uuid::from_u128(2), new_id: Uuid::from_u128(3) });
    assert_eq!(desk.model.order_draft.as_ref().map(|draft| draft.coordination), Some(Coordination::Choreography));
}

#[test]
fn a_lost_answer_is_checked_and_never_rolled_back() {
    let mut desk = Desk::live();
    desk.submits(2);
    for _ in 0..3 {
        desk.says(Msg::CommandAnswered(Uuid::from_u128(2), Err(Failure::NoAnswer)));
        assert_eq!((desk.status(2), desk.rows()), (Some(StatusKind::Checking), vec![2]));
        desk.waits(3_000);
    }
    let check = Ask::Order { id: order_id(2), min_version: Version::FIRST };
    assert!(desk.reads().contains(&check) && desk.sends() == 3);
    desk.says(Msg::ReadAnswered(check, Ok(Answer::Order(Box::new(fixtures::order(2, 2))))));
    assert_eq!((desk.status(2), desk.rows()), (Some(StatusKind::Approved), vec![2]));
}

#[test]
fn a_reload_keeps_the_row_and_sends_the_same_id() {
    let mut desk = Desk::live();
    desk.submits(2);
    let operations = desk
        .effects
        .iter()
        .filter_map(|effect| if let Effect::SaveOperation(saved) = effect { Some(saved.clone()) } else { None });
    let saved = Saved { operations: operations.collect(), ..Saved::default() };
    let mut desk = Desk::open(saved, Route::all_orders());
    assert_eq!((desk.status(2), desk.rows(), desk.sends()), (Some(StatusKind::Sending), vec![2], 1));
    desk.accepted(2);
    assert_eq!(desk.rows(), [2]);
}

#[test]
fn offline_the_draft_is_kept_and_goes_out_later_on_demand() {
    let mut desk = Desk::live();
    desk.says(Msg::WentOffline);
    desk.submits(2);
    assert_eq!((desk.sends(), desk.rows().len()), (0, 0));
    assert!(desk.model.order_draft.as_ref().is_some_and(|draft| draft.was_offline && draft.total == "900"));
    desk.says(Msg::CameOnline);
    assert_eq!(desk.sends(), 0, "nothing goes out by itself");
    desk.says(Msg::OrderSubmitted);
    assert_eq!((desk.sends(), desk.rows()), (1, vec![2]));
}

#[test]
fn a_stale_read_after_a_reload_is_marked_and_read_again() {
    let feed = SavedFeed { orders: vec![(order_id(2), Version(2))], ..SavedFeed::default() };
    let mut desk = Desk::open(Saved { feed, ..Saved::default() }, Route::all_orders());
    desk.connect();
    desk.answer_lists(vec![fixtures::order(2, 1)]);
    desk.waits(300);
    let row = desk.model.order_row(order_id(2)).expect("it is shown");
    assert_eq!(row.stale.map(|badge| badge.text).as_deref(), Some("Updating v1→v2"));
    let ask = Ask::Order { id: order_id(2), min_version: Version(2) };
    assert!(desk.reads().contains(&ask));
    desk.says(Msg::ReadAnswered(ask.clone(), Ok(Answer::Order(Box::new(fixtures::order(2, 2))))));
    assert_eq!(desk.model.order_row(order_id(2)).and_then(|row| row.stale), None);
    desk.says(Msg::ReadAnswered(ask, Ok(Answer::Order(Box::new(fixtures::order(2, 1))))));
    assert_eq!(desk.status(2), Some(StatusKind::Approved), "an older read changes nothing");
}

#[test]
fn a_long_list_does_not_push_out_what_just_happened() {
    let mut desk = Desk::live();
    desk.frame(1, 2, 1);
    desk.frame(2, 2, 2);
    let items = (1_000..2_000).map(|id| fixtures::order(id, 2)).collect();
    let page = Page { items, next_cursor: None };
    desk.says(Msg::ReadAnswered(Ask::PollOrders, Ok(Answer::Orders(page))));
    desk.says(Msg::PageHidden);
    let saved =
        desk.effects.iter().find_map(|effect| if let Effect::SaveFeed(feed) = effect { Some(feed) } else { None });
    assert_eq!(saved.map(|feed| feed.orders.clone()), Some(vec![(order_id(2), Version(2))]));
}

#[test]
fn a_missing_frame_opens_a_new_socket_from_the_last_applied_one() {
    let mut desk = Desk::live();
    desk.frame(1, 2, 1);
    desk.frame(3, 4, 1);
    let socket = desk.socket();
    desk.says(Msg::SocketOpened(socket));
    let hello = Effect::SayHello { socket, epoch: Some("a".to_owned()), cursor: Some(1) };
    assert!(desk.effects.contains(&hello));
    desk.says(Msg::FramesArrived(socket, vec![ServerFrame::Resumed { epoch: "a".to_owned(), cursor: 1 }]));
    desk.frame(2, 2, 2);
    desk.frame(3, 4, 1);
    assert_eq!((desk.status(2), desk.rows()), (Some(StatusKind::Approved), vec![4, 2]));
}

#[test]
fn another_epoch_reads_the_lists_again_without_a_second_row() {
    let mut desk = Desk::live();
    desk.frame(1, 2, 1);
    let socket = desk.socket();
    desk.says(Msg::SocketClosed(socket));
    desk.waits(15_000);
    let socket = desk.socket();
    desk.effects.clear();
    desk.says(Msg::SocketOpened(socket));
    let resync = ServerFrame::Resync { epoch: "b".to_owned(), cursor: 70, reason: ResyncReason::EpochChanged };
    desk.says(Msg::FramesArrived(socket, vec![resync]));
    desk.frame(71, 2, 3);
    assert!(!desk.model.connection.is_live(), "first the lists");
    desk.answer_lists(vec![fixtures::order(2, 2), fixtures::order(4, 1)]);
    assert!(desk.model.connection.is_live());
    assert_eq!(desk.rows(), [4, 2]);
    assert_eq!(desk.model.order(order_id(2)).map(|order| order.version), Some(Version(3)));
}

#[test]
fn outcomes_are_polled_while_the_socket_is_down() {
    let mut desk = Desk::live();
    desk.submits(2);
    desk.accepted(2);
    let socket = desk.socket();
    desk.says(Msg::SocketClosed(socket));
    desk.effects.clear();
    desk.waits(2_100);
    assert!(desk.reads().contains(&Ask::PollOrders));
    let page = Page { items: vec![fixtures::order(2, 2)], next_cursor: None };
    desk.says(Msg::ReadAnswered(Ask::PollOrders, Ok(Answer::Orders(page))));
    assert_eq!(desk.status(2), Some(StatusKind::Approved));
    desk.effects.clear();
    desk.waits(60_000);
    let polls = desk.reads().iter().filter(|ask| **ask == Ask::PollOrders).count();
    assert!((5..15).contains(&polls), "{polls} polls in a minute");
}

#[test]
fn new_rows_wait_while_the_list_is_scrolled() {
    let mut desk = Desk::live();
    for id in 1..=40 {
        desk.frame(id as u64, id, 2);
    }
    desk.says(Msg::OrderWindowMoved(Window { first: 10, end: 20, held: true }));
    desk.frame(41, 50, 1);
    let view = desk.model.order_list_view();
    assert_eq!((view.rows, view.waiting), (40, 1));
    desk.says(Msg::NewRowsPressed);
    assert_eq!(desk.rows().first(), Some(&50));
}

#[test]
fn a_filter_shows_its_rows_and_follows_outcomes() {
    let mut desk = Desk::live();
    desk.frame(1, 2, 1);
    desk.frame(2, 3, 1);
    let filter = OrderFilter { state: Some(OrderState::Pending), ..OrderFilter::default() };
    desk.says(Msg::OrdersFiltered { filter, typed: false });
    assert_eq!(desk.rows(), [3, 2]);
    desk.frame(3, 2, 2);
    assert_eq!(desk.rows(), [3]);
    desk.frame(4, 3, 2);
    assert_eq!(desk.model.order_list_view().state, ListState::NoMatches);
}

#[test]
fn an_idle_desk_rests() {
    let mut desk = Desk::live();
    for id in 1..=20 {
        desk.frame(id as u64, id, 2);
    }
    desk.says(Msg::LinkFollowed(Route::Settings));
    desk.waits(2_000);
    desk.effects.clear();
    let wake_ms = next_wake(&desk.model).expect("silence is watched for");
    assert!(wake_ms - desk.now_ms > 10_000, "nothing is due for {} ms", wake_ms - desk.now_ms);
}

#[test]
fn the_sample_sends_customers_before_their_orders() {
    let mut desk = Desk::live();
    let ids: Vec<_> = (2_000..2_000 + crate::sample::IDS as u128).map(Uuid::from_u128).collect();
    desk.says(Msg::SampleRequested(ids));
    let first: Vec<_> = desk
        .effects
        .iter()
        .filter_map(|effect| if let Effect::Send(command) = effect { Some(command.clone()) } else { None })
        .collect();
    assert!(!first.is_empty() && first.iter().all(|command| matches!(command, Command::CreateCustomer { .. })));
    assert_eq!(desk.rows().len(), crate::sample::IDS - 6, "every row is there at once");
}
