//! A list as a whole: loading, empty, failed, or rows; and what is said about their number.

use super::Trouble;
use crate::{index::Index, listing::Listing, model::Model, text::count};

/// What a list shows instead of, or besides, its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListState {
    /// The first rows are on their way.
    Loading,
    /// They could not be read.
    Failed(Trouble),
    /// There is nothing at all.
    Empty,
    /// There is nothing that passes the filter.
    NoMatches,
    /// Here they are, perhaps with a trouble that keeps them from being read again.
    Rows(Option<Trouble>),
}

/// A list as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListView {
    /// What it shows.
    pub state: ListState,
    /// How many rows there are.
    pub rows: usize,
    /// How many wait above until the reader asks for them.
    pub waiting: usize,
    /// The number of rows in words; nothing while none was read.
    pub summary: String,
}

impl Model {
    /// The list of orders as a whole.
    #[must_use]
    pub fn order_list_view(&self) -> ListView {
        let list = &self.order_list;
        view(&list.index, &list.all, &list.narrow, list.filter.is_narrow(), ["order", "orders"])
    }

    /// The list of customers as a whole.
    #[must_use]
    pub fn customer_list_view(&self) -> ListView {
        let list = &self.customer_list;
        view(&list.index, &list.all, &list.narrow, !list.search.trim().is_empty(), ["customer", "customers"])
    }

    /// Whether there is nothing at all on the desk, so that a sample is worth offering.
    #[must_use]
    pub fn is_empty_desk(&self) -> bool {
        let (orders, customers) = (&self.order_list.all, &self.customer_list.all);
        let was_read = orders.read_once() && customers.read_once();
        was_read && self.orders.is_empty() && self.customers.is_empty() && self.pending.iter().next().is_none()
    }
}

fn view(index: &Index, all: &Listing, narrow: &Listing, is_narrow: bool, noun: [&str; 2]) -> ListView {
    let complete = all.is_complete() || (is_narrow && narrow.is_complete());
    let read_once = all.is_complete() || if is_narrow { narrow.read_once() } else { all.read_once() };
    let trouble = all.trouble().or_else(|| narrow.trouble().filter(|_| is_narrow)).map(Trouble::of);
    let state = match (index.is_empty(), trouble) {
        (false, trouble) => ListState::Rows(trouble),
        (true, Some(trouble)) => ListState::Failed(trouble),
        (true, None) if !read_once => ListState::Loading,
        (true, None) if !is_narrow => ListState::Empty,
        (true, None) if complete => ListState::NoMatches,
        (true, None) => ListState::Loading,
    };
    let counted = count(index.len(), noun[0], noun[1]);
    let summary = match state {
        // Nobody has counted yet.
        ListState::Loading | ListState::Failed(_) => String::new(),
        ListState::Empty | ListState::NoMatches | ListState::Rows(_) if complete => counted,
        ListState::Empty | ListState::NoMatches | ListState::Rows(_) => format!("{counted} so far"),
    };
    ListView { state, rows: index.len(), waiting: index.waiting(), summary }
}
