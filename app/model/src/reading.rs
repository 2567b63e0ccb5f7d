//! What is read and when: the lists' pages, the document of the page that is open, what is behind, and polling while the socket
//! is down.

use crate::{
    ask::{Answer, Ask},
    command::{Aggregate, Failure},
    confirmed::FRAME_PATIENCE_MS,
    effect::Effect,
    feed::{Heard, Part},
    listing::BACKGROUND_ROWS,
    model::Model,
    route::Route,
    time::{Millis, Now, earliest},
};
use tramline_contract::{CustomerId, OrderId, Page, Version, live::ServerFrame};
use uuid::Uuid;

/// The first pause between two polls, and the longest.
const POLL_PAUSES_MS: [Millis; 2] = [2_000, 10_000];
/// How many undecided orders of the user's own are asked for by name in one poll.
const POLLED_ORDERS: usize = 10;
/// A filtered list loads at least so many rows, and then more as one scrolls near its end.
const ROWS_AHEAD: usize = 100;

/// The document of the page that is open.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Of which aggregate; none when the page shows no single one.
    id: Option<Uuid>,
    /// Whether a read is under way.
    pub(crate) is_loading: bool,
    /// Whether the server says that it does not exist.
    pub(crate) is_missing: bool,
    /// Why the last read failed.
    pub(crate) trouble: Option<Failure>,
}

impl Detail {
    /// Its document has come.
    pub(crate) fn found(&mut self, id: Uuid) {
        if self.id == Some(id) {
            *self = Self { id: self.id, ..Self::default() };
        }
    }

    fn read_ended<T>(&mut self, id: Uuid, answer: &Result<T, Failure>) {
        if self.id != Some(id) {
            return;
        }
        self.is_loading = false;
        match answer {
            Ok(_) => self.found(id),
            Err(failure) if failure.is_not_found() => self.is_missing = true,
            Err(failure) => self.trouble = Some(failure.clone()),
        }
    }
}

/// Asks for outcomes while the socket is down.
#[derive(Clone, Debug, Default)]
pub struct Polling {
    due_ms: Option<Millis>,
    pause_ms: Millis,
}

impl Model {
    /// The open page's document is read, because the page was opened, or may have missed something.
    pub(crate) fn read_detail(&mut self, effects: &mut Vec<Effect>) {
        let ask = match self.route {
            Route::Order(id) => Ask::Order { id, min_version: self.orders.known(id) },
            Route::Customer(id) => Ask::Customer { id, min_version: self.customers.known(id) },
            _ => {
                self.detail = Detail::default();
                return;
            }
        };
        let id = match ask {
            Ask::Order { id, .. } => id.0,
            Ask::Customer { id, .. } => id.0,
            Ask::Orders { .. } | Ask::Customers { .. } | Ask::PollOrders => return,
        };
        self.detail = Detail { id: Some(id), is_loading: true, ..Detail::default() };
        effects.push(Effect::Read(ask));
    }

    /// Everything that is shown is read again, because the feed cannot tell what was missed.
    pub(crate) fn read_again(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.order_list.all.start(now.ms);
        self.customer_list.all.start(now.ms);
        self.narrow_lists(now.ms);
        self.read_detail(effects);
    }

    /// Starts or stops the walks through the filtered lists: they are needed only while the whole lists are not here.
    pub(crate) fn narrow_lists(&mut self, now_ms: Millis) {
        let list = &mut self.order_list;
        list.narrow.stop();
        if list.filter.is_narrow() && !list.all.is_complete() {
            list.narrow.start(now_ms);
        }
        let list = &mut self.customer_list;
        list.narrow.stop();
        if !list.search.trim().is_empty() && !list.all.is_complete() {
            list.narrow.start(now_ms);
        }
    }

    /// A read was answered, or not.
    pub(crate) fn read_answered(
        &mut self,
        ask: Ask,
        answer: Result<Answer, Failure>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        match ask {
            Ask::Order { id, .. } => {
                self.detail.read_ended(id.0, &answer);
                self.one_read(id.0, answer, now, effects);
                self.orders.read_ended(id, now.ms);
            }
            Ask::Customer { id, .. } => {
                self.detail.read_ended(id.0, &answer);
                self.one_read(id.0, answer, now, effects);
                self.customers.read_ended(id, now.ms);
            }
            Ask::PollOrders => {
                if let Ok(Answer::Orders(page)) = answer {
                    self.take_orders(page, now, effects);
                }
            }
            Ask::Orders { reading, .. } => {
                let list = &mut self.order_list;
                let listing = if reading.narrow { &mut list.narrow } else { &mut list.all };
                let was_first = match answer {
                    Ok(Answer::Orders(page)) => {
                        let was_first = listing.page_read(reading, page.next_cursor.clone(), now);
                        self.take_orders(page, now, effects);
                        was_first && !reading.narrow
                    }
                    Ok(_) => false,
                    Err(failure) => {
                        listing.page_failed(reading, failure, now);
                        false
                    }
                };
                if was_first {
                    self.part_read(Part::Orders, now, effects);
                }
            }
            Ask::Customers { reading, .. } => {
                let list = &mut self.customer_list;
                let listing = if reading.narrow { &mut list.narrow } else { &mut list.all };
                let was_first = match answer {
                    Ok(Answer::Customers(page)) => {
                        let was_first = listing.page_read(reading, page.next_cursor.clone(), now);
                        for customer in page.items {
                            self.take_customer(customer, now, effects);
                        }
                        was_first && !reading.narrow
                    }
                    Ok(_) => false,
                    Err(failure) => {
                        listing.page_failed(reading, failure, now);
                        false
                    }
                };
                if was_first {
                    self.part_read(Part::Customers, now, effects);
                }
            }
        }
    }

    /// A socket brought frames.
    pub(crate) fn frames_arrived(
        &mut self,
        socket: u32,
        frames: Vec<ServerFrame>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        for frame in frames {
            // A gap ends the socket: what it brought after the gap comes again on the next one.
            if !self.connection.heard(socket, now) {
                return;
            }
            self.frame_arrived(frame, now, effects);
        }
    }

    /// Reads whatever is due.
    pub(crate) fn read_what_is_due(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for (id, min_version) in self.orders.due(now.ms) {
            effects.push(Effect::Read(Ask::Order { id, min_version }));
        }
        for (id, min_version) in self.customers.due(now.ms) {
            effects.push(Effect::Read(Ask::Customer { id, min_version }));
        }
        let wants = self.wanted_pages();
        let list = &mut self.order_list;
        if let Some((reading, cursor)) = list.all.next(wants.orders, now.ms) {
            effects.push(Effect::Read(Ask::Orders { reading, filter: Default::default(), cursor }));
        }
        if let Some((reading, cursor)) = list.narrow.next(wants.narrow_orders, now.ms) {
            effects.push(Effect::Read(Ask::Orders { reading, filter: list.filter.clone(), cursor }));
        }
        let list = &mut self.customer_list;
        if let Some((reading, cursor)) = list.all.next(wants.customers, now.ms) {
            effects.push(Effect::Read(Ask::Customers { reading, search: String::new(), cursor }));
        }
        if let Some((reading, cursor)) = list.narrow.next(wants.narrow_customers, now.ms) {
            effects.push(Effect::Read(Ask::Customers { reading, search: list.search.clone(), cursor }));
        }
        self.poll(now, effects);
    }

    /// When something is due to be read.
    #[must_use]
    pub(crate) fn next_read(&self, now_ms: Millis) -> Option<Millis> {
        let wants = self.wanted_pages();
        let polls = self.polling.due_ms.filter(|_| !self.connection.is_offline());
        [
            self.orders.next_wake(now_ms),
            self.customers.next_wake(now_ms),
            self.order_list.all.next_wake(wants.orders),
            self.order_list.narrow.next_wake(wants.narrow_orders),
            self.customer_list.all.next_wake(wants.customers),
            self.customer_list.narrow.next_wake(wants.narrow_customers),
            polls,
        ]
        .into_iter()
        .fold(None, earliest)
    }

    fn wanted_pages(&self) -> WantedPages {
        let near_end = |index: &crate::index::Index| index.window().end + ROWS_AHEAD >= index.len();
        WantedPages {
            orders: self.orders.len() < BACKGROUND_ROWS || near_end(&self.order_list.index),
            narrow_orders: near_end(&self.order_list.index),
            customers: self.customers.len() < BACKGROUND_ROWS || near_end(&self.customer_list.index),
            narrow_customers: near_end(&self.customer_list.index),
        }
    }

    fn frame_arrived(&mut self, frame: ServerFrame, now: Now, effects: &mut Vec<Effect>) {
        match self.feed.hear(frame) {
            Heard::Nothing => {}
            Heard::Resumed => self.became_live(now, effects),
            Heard::MustRead => self.read_again(now, effects),
            Heard::Gap => self.connection.found_gap(now, effects),
            Heard::Apply(frame) => {
                match *frame {
                    ServerFrame::Order { order, .. } => {
                        self.orders.learn(order.id, order.version, now.ms, FRAME_PATIENCE_MS);
                        self.take_order(order, now, effects);
                    }
                    ServerFrame::Customer { customer, .. } => {
                        self.customers.learn(customer.id, customer.version, now.ms, FRAME_PATIENCE_MS);
                        self.take_customer(customer, now, effects);
                    }
                    ServerFrame::Resumed { .. } | ServerFrame::Resync { .. } | ServerFrame::Heartbeat {} => {}
                }
                self.save_feed_soon(now.ms);
            }
        }
    }

    fn part_read(&mut self, part: Part, now: Now, effects: &mut Vec<Effect>) {
        let Some(waited) = self.feed.read(part) else { return };
        self.became_live(now, effects);
        self.save_feed_soon(now.ms);
        for frame in waited {
            self.frame_arrived(frame, now, effects);
        }
    }

    fn became_live(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.connection.was_live() && self.connection.is_down(now.ms) {
            self.announcer.note("Connection restored.");
        }
        self.connection.caught_up(now);
        self.polling = Polling::default();
        self.pending.hurry(now);
        if self.detail.trouble.is_some() {
            self.read_detail(effects);
        }
        for listing in [&mut self.order_list.all, &mut self.customer_list.all] {
            if listing.trouble().is_some() {
                listing.hurry();
            }
        }
    }

    fn one_read(&mut self, id: Uuid, answer: Result<Answer, Failure>, now: Now, effects: &mut Vec<Effect>) {
        match answer {
            Ok(Answer::Order(order)) => {
                self.orders.learn(order.id, order.version, now.ms, FRAME_PATIENCE_MS);
                self.take_order(*order, now, effects);
                self.pending.looked_in_vain(id, now);
            }
            Ok(Answer::Customer(customer)) => {
                self.customers.learn(customer.id, customer.version, now.ms, FRAME_PATIENCE_MS);
                self.take_customer(*customer, now, effects);
                self.pending.looked_in_vain(id, now);
            }
            Ok(Answer::Orders(_) | Answer::Customers(_)) => {}
            Err(_) => self.pending.looked_in_vain(id, now),
        }
    }

    fn take_orders(&mut self, page: Page<tramline_contract::Order>, now: Now, effects: &mut Vec<Effect>) {
        for order in page.items {
            self.take_order(order, now, effects);
        }
    }

    fn poll(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.connection.is_down(now.ms) || self.connection.is_offline() {
            return;
        }
        if self.polling.due_ms.is_some_and(|due_ms| due_ms > now.ms) {
            return;
        }
        let pause_ms = self.polling.pause_ms.clamp(POLL_PAUSES_MS[0], POLL_PAUSES_MS[1]);
        self.polling = Polling { due_ms: Some(now.ms + pause_ms), pause_ms: pause_ms * 3 / 2 };
        effects.push(Effect::Read(Ask::PollOrders));
        let changed = self.pending.iter().filter_map(|operation| match operation.command.changes() {
            Some(Aggregate::Order(id)) => Some(id),
            Some(Aggregate::Customer(_)) | None => None,
        });
        let undecided = self.own.keys().copied().filter(|id| self.pending.order(*id).is_none());
        let undecided = undecided.chain(changed).take(POLLED_ORDERS);
        let mut asks: Vec<_> = undecided.map(|id| Ask::Order { id, min_version: self.orders.known(id) }).collect();
        match self.route {
            Route::Order(id) => asks.push(Ask::Order { id, min_version: Version::default() }),
            Route::Customer(id) => asks.push(Ask::Customer { id, min_version: Version::default() }),
            _ => {}
        }
        asks.dedup();
        effects.extend(asks.into_iter().map(Effect::Read));
    }

    /// Reads a document again at once that is behind, because the reader asks for it.
    pub(crate) fn hurry_behind(&mut self, now_ms: Millis) {
        match self.route {
            Route::Order(id) => self.orders.hurry(id, now_ms),
            Route::Customer(id) => self.customers.hurry(id, now_ms),
            _ => {}
        }
        let window = self.order_list.index.window();
        let shown: Vec<_> = self.order_list.index.range(window.first, window.end).map(OrderId).collect();
        shown.into_iter().for_each(|id| self.orders.hurry(id, now_ms));
        let window = self.customer_list.index.window();
        let shown: Vec<_> = self.customer_list.index.range(window.first, window.end).map(CustomerId).collect();
        shown.into_iter().for_each(|id| self.customers.hurry(id, now_ms));
    }
}

/// Which lists want their next page now.
struct WantedPages {
    orders: bool,
    narrow_orders: bool,
    customers: bool,
    narrow_customers: bool,
}
