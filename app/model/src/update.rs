//! A message in, the model changed and effects out. Pure: the same messages at the same times lead to the same model.

use crate::{
    confirmed::FRAME_PATIENCE_MS,
    draft::CustomerDraft,
    effect::Effect,
    filter::{Needle, OrderFilter},
    journal::SavedFeed,
    message::Msg,
    model::Model,
    route::Route,
    sample,
    text::{count, short_id},
    time::{Millis, Now, earliest, next_age_change, unix_ms},
};
use tramline_contract::{CustomerId, OrderId};
use uuid::Uuid;

/// The pause after a typed letter before the server is asked.
const TYPING_PAUSE_MS: Millis = 250;

/// Takes a message in and returns what to do.
#[must_use]
pub fn update(model: &mut Model, msg: Msg, now: Now) -> Vec<Effect> {
    let mut effects = Vec::new();
    model.now_ms = now.ms;
    model.handle(msg, now, &mut effects);
    model.act_on_deadlines(now, &mut effects);
    effects
}

/// When the model wants to be ticked next, whatever else happens. `None` when time changes nothing.
#[must_use]
pub fn next_wake(model: &Model) -> Option<Millis> {
    let now_ms = model.now_ms;
    [
        model.connection.next_wake(now_ms),
        model.next_read(now_ms),
        model.pending.next_wake(),
        model.announcer.next_wake(),
        model.save_feed_at_ms,
        model.just_decided.front().map(|(_, until_ms)| *until_ms),
        model.next_row_change(),
    ]
    .into_iter()
    .fold(None, earliest)
}

impl Model {
    fn handle(&mut self, msg: Msg, now: Now, effects: &mut Vec<Effect>) {
        match msg {
            Msg::Ticked => {}
            Msg::RouteChanged(route) => self.show(route, now, effects),
            Msg::LinkFollowed(route) => self.go(route, false, now, effects),

            Msg::SocketOpened(socket) => {
                if self.connection.opened(socket, now) {
                    self.feed.greet();
                    let (epoch, cursor) = (self.feed.epoch.clone(), self.feed.cursor);
                    effects.push(Effect::SayHello { socket, epoch, cursor });
                }
            }
            Msg::SocketClosed(socket) => self.connection.closed(socket, now, effects),
            Msg::FramesArrived(socket, frames) => self.frames_arrived(socket, frames, now, effects),
            Msg::WentOffline => self.connection.went_offline(now, effects),
            Msg::CameOnline => {
                self.connection.retry_now(now, effects);
                self.pending.hurry(now);
                if let Some(draft) = &mut self.order_draft {
                    draft.was_offline = false;
                }
                if let Some(draft) = &mut self.customer_draft {
                    draft.was_offline = false;
                }
            }
            Msg::BecameVisible if self.connection.is_offline() => {}
            Msg::BecameVisible | Msg::RetryPressed => {
                self.connection.retry_now(now, effects);
                self.pending.hurry(now);
            }
            Msg::PageHidden => self.save_feed_at_ms = self.save_feed_at_ms.map(|_| now.ms),

            Msg::CommandAnswered(id, answer) => self.command_answered(id, answer, now, effects),
            Msg::ReadAnswered(ask, answer) => self.read_answered(ask, answer, now, effects),

            Msg::OrdersFiltered { filter, typed } => self.go(Route::Orders(filter), typed, now, effects),
            Msg::CustomersSearched(search) => self.go(Route::Customers { search }, true, now, effects),
            Msg::OrderWindowMoved(window) => {
                if self.order_list.index.look_at(window) {
                    self.rebuild_order_list();
                }
            }
            Msg::CustomerWindowMoved(window) => {
                if self.customer_list.index.look_at(window) {
                    self.rebuild_customer_list();
                }
            }
            Msg::NewRowsPressed => self.show_new_rows(effects),
            Msg::RefreshPressed => self.refresh(now, effects),

            Msg::OrderFormOpened { id, customer } => self.open_order_form(id, customer, effects),
            Msg::CustomerPicked(customer) => self.edit_order(effects, |draft| draft.customer = customer),
            Msg::TotalTyped(total) => self.edit_order(effects, |draft| draft.total = total),
            Msg::CoordinationChosen(way) => self.edit_order(effects, |draft| draft.coordination = way),
            Msg::OrderSubmitted => self.submit_order(now, effects),
            Msg::CustomerFormOpened(id) => {
                self.customer_draft.get_or_insert_with(|| CustomerDraft::new(id));
            }
            Msg::NameTyped(name) => {
                if let Some(draft) = &mut self.customer_draft {
                    draft.name = name;
                    draft.errors.retain(|error| error.field != "name");
                }
            }
            Msg::CreditLimitTyped(credit_limit) => {
                if let Some(draft) = &mut self.customer_draft {
                    draft.credit_limit = credit_limit;
                    draft.errors.retain(|error| error.field != "creditLimit");
                }
            }
            Msg::CustomerSubmitted => self.submit_customer(now, effects),
            Msg::FormClosed => self.close_form(now, effects),
            Msg::NotSentEdited { id, new_id } => self.edit_not_sent(id, new_id, now, effects),
            Msg::Reapplied { id, new_id } => self.reapply(id, new_id, now, effects),
            Msg::ChangeOpened { change, id } => self.open_change(change, id),
            Msg::AmountTyped(amount) => self.edit_change("amount", |draft| draft.amount = amount),
            Msg::ReferenceTyped(reference) => self.edit_change("reference", |draft| draft.reference = reference),
            Msg::ChangeSubmitted => self.submit_change(now, effects),
            Msg::OrderKept(id) => {
                self.change = None;
                if self.pending.withdraw_cancellation(id, effects) {
                    self.announcer.note(format!("Order {} is kept.", short_id(id.0)));
                }
            }
            Msg::NotSentDropped(id) => {
                self.pending.take_not_sent(id);
            }
            Msg::SampleRequested(ids) => {
                for command in sample::commands(&ids) {
                    self.send(command, now, effects);
                }
            }
            Msg::SettingsChanged(settings) => {
                self.settings = settings;
                effects.push(Effect::SaveSettings(settings));
            }
        }
    }

    /// Does everything whose time has come.
    pub(crate) fn act_on_deadlines(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.connection.tick(now, effects);
        self.pending.tick(&self.orders, now, effects);
        self.read_what_is_due(now, effects);
        self.announcer.tick(now.ms, effects);
        while self.just_decided.front().is_some_and(|(_, until_ms)| *until_ms <= now.ms) {
            self.just_decided.pop_front();
        }
        if self.save_feed_at_ms.is_some_and(|due_ms| due_ms <= now.ms) {
            self.save_feed_at_ms = None;
            effects.push(Effect::SaveFeed(SavedFeed {
                epoch: self.feed.epoch.clone(),
                cursor: self.feed.cursor,
                orders: self.orders.remembered(),
                customers: self.customers.remembered(),
            }));
        }
    }

    /// Shows a page, because the address says so.
    pub(crate) fn show(&mut self, route: Route, now: Now, effects: &mut Vec<Effect>) {
        let is_same_page = std::mem::discriminant(&route) == std::mem::discriminant(&self.route);
        if self.route != route {
            self.change = None;
        }
        self.route = route;
        match self.route.clone() {
            Route::Orders(filter) => {
                self.order_list.page_filter = filter.clone();
                self.filter_orders(filter, if is_same_page { TYPING_PAUSE_MS } else { 0 }, now, effects);
            }
            Route::NewOrder { .. } => {
                let filter = self.order_list.page_filter.clone();
                self.filter_orders(filter, 0, now, effects);
            }
            Route::Customer(id) => {
                let filter = OrderFilter { customer: Some(id), ..OrderFilter::default() };
                self.filter_orders(filter, 0, now, effects);
            }
            Route::Customers { search } => self.search_customers(search, now, effects),
            Route::NewCustomer
            | Route::Order(_)
            | Route::Settings
            | Route::UnknownOrder(_)
            | Route::UnknownCustomer(_)
            | Route::NotFound => {}
        }
        self.read_detail(effects);
    }

    pub(crate) fn go(&mut self, route: Route, replace: bool, now: Now, effects: &mut Vec<Effect>) {
        if self.route != route {
            self.show(route.clone(), now, effects);
            effects.push(Effect::Navigate { route, replace });
        }
    }

    fn filter_orders(&mut self, filter: OrderFilter, pause_ms: Millis, now: Now, effects: &mut Vec<Effect>) {
        let list = &mut self.order_list;
        if list.filter == filter {
            return;
        }
        let shows_other_rows = !list.filter.shows_the_same(&filter);
        list.needle = Needle::of(&filter.search);
        list.filter = filter;
        self.rebuild_order_list();
        effects.push(Effect::ScrollToTop);
        if shows_other_rows {
            self.narrow_lists(now.ms + pause_ms);
            self.announcer.note(format!("{}.", count(self.order_list.index.len(), "order", "orders")));
        }
    }

    fn search_customers(&mut self, search: String, now: Now, effects: &mut Vec<Effect>) {
        if self.customer_list.search == search {
            return;
        }
        self.customer_list.needle = Needle::of(&search);
        self.customer_list.search = search;
        self.rebuild_customer_list();
        effects.push(Effect::ScrollToTop);
        self.narrow_lists(now.ms + TYPING_PAUSE_MS);
        self.announcer.note(format!("{}.", count(self.customer_list.index.len(), "customer", "customers")));
    }

    fn show_new_rows(&mut self, effects: &mut Vec<Effect>) {
        if self.order_list.index.release() {
            self.rebuild_order_list();
        }
        if self.customer_list.index.release() {
            self.rebuild_customer_list();
        }
        effects.push(Effect::ScrollToTop);
    }

    fn refresh(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.hurry_behind(now.ms);
        let lists = [
            &mut self.order_list.all,
            &mut self.order_list.narrow,
            &mut self.customer_list.all,
            &mut self.customer_list.narrow,
        ];
        lists.into_iter().for_each(crate::listing::Listing::hurry);
        self.read_detail(effects);
    }

    fn command_answered(
        &mut self,
        id: Uuid,
        answer: Result<crate::command::Accepted, crate::command::Failure>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(command) = self.pending.get(id).map(|operation| &operation.command)
            && command.changes().is_some()
        {
            let command = command.clone();
            self.pending.answered(id, answer.clone(), now, effects);
            return self.change_answered(&command, &answer, now, effects);
        }
        let version = answer.as_ref().ok().map(|accepted| accepted.version);
        let is_order = self.pending.order(OrderId(id)).is_some() || self.orders.get(OrderId(id)).is_some();
        let is_customer =
            self.pending.customer(CustomerId(id)).is_some() || self.customers.get(CustomerId(id)).is_some();
        if !is_order && !is_customer {
            // A change that its document has shown before the answer came: nothing has the change's own id.
            return;
        }
        if let Some(version) = version {
            let patience_ms = FRAME_PATIENCE_MS;
            if is_order {
                self.orders.learn(OrderId(id), version, now.ms, patience_ms);
            } else {
                self.customers.learn(CustomerId(id), version, now.ms, patience_ms);
            }
            self.save_feed_soon(now.ms);
        }
        self.pending.answered(id, answer, now, effects);
        let is_gone = self.pending.get(id).is_none();
        if is_order {
            if is_gone && self.orders.get(OrderId(id)).is_none() {
                self.own.remove(&OrderId(id));
                self.order_list.index.take_away(id);
            }
            self.place_order_row(OrderId(id));
        } else {
            if is_gone && self.customers.get(CustomerId(id)).is_none() {
                self.customer_list.index.take_away(id);
            }
            self.place_customer_row(CustomerId(id));
        }
    }

    /// When the text of a row on screen changes by itself: a duration that counts up.
    fn next_row_change(&self) -> Option<Millis> {
        let window = self.order_list.index.window();
        let listed = match self.route {
            Route::Orders(_) | Route::NewOrder { .. } | Route::Customer(_) => window.first..window.end,
            _ => 0..0,
        };
        let opened = if let Route::Order(id) = self.route { Some(id) } else { None };
        let shown = self.order_list.index.range(listed.start, listed.end).map(OrderId).chain(opened);
        shown.fold(None, |wake, id| {
            let since_ms = match self.orders.get(id) {
                Some(order) if order.state.is_settled() => unix_ms(&order.updated_at).unwrap_or_default(),
                Some(_) | None => self.waiting_since(id),
            };
            earliest(wake, Some(next_age_change(self.now_ms, since_ms)))
        })
    }
}
