//! All that the page knows, and the questions that several parts ask of it.

use crate::{
    announcer::{Announcer, Toast},
    change::ChangeDraft,
    command::Command,
    confirmed::Confirmed,
    connection::Connection,
    draft::{CustomerDraft, OrderDraft},
    effect::Effect,
    feed::Feed,
    filter::{Needle, OrderFilter},
    index::Index,
    journal::Saved,
    listing::Listing,
    pending::Pending,
    reading::{Detail, Polling},
    route::Route,
    settings::Settings,
    time::{Millis, Now, unix_ms},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tramline_contract::{Customer, CustomerId, Money, Order, OrderId, OrderState};

/// All that the page knows.
#[derive(Clone, Debug)]
pub struct Model {
    /// When the last message was handled.
    pub now_ms: Millis,
    /// The page that is shown.
    pub route: Route,
    /// The user's choices.
    pub settings: Settings,
    /// The socket's life.
    pub connection: Connection,
    /// Commands that are not confirmed yet.
    pub pending: Pending,
    /// The order that is being filled in.
    pub order_draft: Option<OrderDraft>,
    /// The customer that is being filled in.
    pub customer_draft: Option<CustomerDraft>,
    /// The change that is being filled in.
    pub change: Option<ChangeDraft>,
    /// The list of orders.
    pub order_list: OrderList,
    /// The list of customers.
    pub customer_list: CustomerList,
    pub(crate) orders: Confirmed<Order>,
    pub(crate) customers: Confirmed<Customer>,
    pub(crate) feed: Feed,
    pub(crate) detail: Detail,
    pub(crate) polling: Polling,
    pub(crate) announcer: Announcer,
    /// The user's own orders that are not decided yet, with the time of their submission.
    pub(crate) own: BTreeMap<OrderId, Millis>,
    /// Every confirmed order that a saga holds.
    pub(crate) unsettled: BTreeSet<OrderId>,
    /// Orders that were decided a moment ago, until when that shows.
    pub(crate) just_decided: VecDeque<(OrderId, Millis)>,
    /// When the feed's place is due to be saved.
    pub(crate) save_feed_at_ms: Option<Millis>,
}

/// The list of orders: which ones, which of them are loaded, and in which order they stand.
#[derive(Clone, Debug)]
pub struct OrderList {
    /// What the list shows.
    pub filter: OrderFilter,
    /// What the page of all orders showed last, for the way back.
    pub page_filter: OrderFilter,
    /// The rows.
    pub index: Index,
    pub(crate) needle: Needle,
    pub(crate) all: Listing,
    pub(crate) narrow: Listing,
}

/// The list of customers.
#[derive(Clone, Debug)]
pub struct CustomerList {
    /// Part of the names that the list shows.
    pub search: String,
    /// The rows.
    pub index: Index,
    pub(crate) needle: Needle,
    pub(crate) all: Listing,
    pub(crate) narrow: Listing,
}

impl Model {
    /// A page that has just been opened, with what was saved before; and what to do first.
    #[must_use]
    pub fn start(saved: Saved, route: Route, is_online: bool, now: Now) -> (Self, Vec<Effect>) {
        let mut model = Self {
            now_ms: now.ms,
            route: Route::NotFound,
            settings: saved.settings,
            connection: Connection::new(now),
            pending: Pending::default(),
            order_draft: saved.draft,
            customer_draft: None,
            change: None,
            order_list: OrderList {
                filter: OrderFilter::default(),
                page_filter: OrderFilter::default(),
                index: Index::default(),
                needle: Needle::default(),
                all: Listing::new(false),
                narrow: Listing::new(true),
            },
            customer_list: CustomerList {
                search: String::new(),
                index: Index::default(),
                needle: Needle::default(),
                all: Listing::new(false),
                narrow: Listing::new(true),
            },
            orders: Confirmed::default(),
            customers: Confirmed::default(),
            feed: Feed::at(saved.feed.epoch, saved.feed.cursor),
            detail: Detail::default(),
            polling: Polling::default(),
            announcer: Announcer::default(),
            own: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            just_decided: VecDeque::new(),
            save_feed_at_ms: None,
        };
        let mut effects = Vec::new();
        model.orders.remember(saved.feed.orders);
        model.customers.remember(saved.feed.customers);
        for operation in &saved.operations {
            if let Command::PlaceOrder { id, .. } = operation.command {
                model.own.insert(id, operation.submitted_ms);
            }
        }
        model.pending.restore(saved.operations);
        model.order_list.all.start(now.ms);
        model.customer_list.all.start(now.ms);
        model.show(route, now, &mut effects);
        model.rebuild_order_list();
        model.rebuild_customer_list();
        if is_online {
            model.connection.open(now, &mut effects);
        }
        model.act_on_deadlines(now, &mut effects);
        (model, effects)
    }

    /// The messages at the edge of the page.
    #[must_use]
    pub fn toasts(&self) -> Vec<Toast> {
        self.announcer.toasts()
    }

    /// An order as the server last told it.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(id)
    }

    /// A customer as the server last told it.
    #[must_use]
    pub fn customer(&self, id: CustomerId) -> Option<&Customer> {
        self.customers.get(id)
    }

    /// What a customer is called, if anything here knows.
    #[must_use]
    pub fn customer_name(&self, id: CustomerId) -> Option<&str> {
        if let Some(customer) = self.customers.get(id) {
            return Some(&customer.name);
        }
        self.pending.customer(id)?.command.created().map(|(_, name, _)| name.as_str())
    }

    /// What a customer's orders that are not decided yet would take of the credit, ours on their way included.
    #[must_use]
    pub fn on_hold(&self, customer: CustomerId) -> Money {
        let confirmed = self.unsettled.iter().filter_map(|id| self.orders.get(*id));
        // What is being revised or cancelled has its credit already.
        let confirmed = confirmed.filter(|order| order.customer_id == customer && order.state == OrderState::Pending);
        let on_their_way = self.pending.iter().filter_map(|operation| match operation.command {
            Command::PlaceOrder { customer_id, total, .. } => (customer_id == customer).then_some(total.minor()),
            Command::ReviseOrder { order, total, .. } => {
                let order = self.orders.get(order).filter(|order| order.customer_id == customer)?;
                Some((total.minor() - order.total.minor()).max(0))
            }
            _ => None,
        });
        Money::from_minor(confirmed.map(|order| order.total.minor()).chain(on_their_way).sum())
    }

    /// Since when an order has been waiting for its decision.
    #[must_use]
    pub fn waiting_since(&self, id: OrderId) -> Millis {
        let submitted = self.own.get(&id).copied();
        let submitted = submitted.or_else(|| self.pending.order(id).map(|operation| operation.submitted_ms));
        submitted.or_else(|| unix_ms(&self.orders.get(id)?.created_at)).unwrap_or(self.now_ms).min(self.now_ms)
    }

    /// Whether a row of this order is before the reader's eyes.
    #[must_use]
    pub fn is_on_screen(&self, id: OrderId) -> bool {
        match &self.route {
            Route::Orders(_) | Route::NewOrder { .. } | Route::Customer(_) => self.order_list.index.shows(id.0),
            Route::Order(shown) => *shown == id,
            Route::Customers { .. }
            | Route::NewCustomer
            | Route::Settings
            | Route::UnknownOrder(_)
            | Route::UnknownCustomer(_)
            | Route::NotFound => false,
        }
    }
}
