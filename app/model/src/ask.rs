//! What the page reads, and what comes back.

use crate::{filter::OrderFilter, route::Query};
use tramline_contract::{Customer, CustomerId, Order, OrderId, Page, Version};

/// How many rows one page of a list asks for; the most that the server gives.
pub const PAGE_ROWS: usize = 100;

/// A read. It comes back with its answer, so that the answer finds its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A page of orders.
    Orders {
        /// Which reading of which list this belongs to; answers of an earlier one do not steer it.
        reading: Reading,
        /// Which orders; the sort is not the server's.
        filter: OrderFilter,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// A page of customers.
    Customers {
        /// As for orders.
        reading: Reading,
        /// Part of the names.
        search: String,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// The newest orders, because the socket does not tell.
    PollOrders,
    /// One order.
    Order {
        /// Which.
        id: OrderId,
        /// The version that the view should have reached.
        min_version: Version,
    },
    /// One customer.
    Customer {
        /// Which.
        id: CustomerId,
        /// The version that the view should have reached.
        min_version: Version,
    },
}

/// One walk through the pages of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Whether it is the walk through the filtered list.
    pub narrow: bool,
    /// Raised whenever a walk starts over.
    pub generation: u32,
}

impl Ask {
    /// The address to read.
    #[must_use]
    pub fn url(&self) -> String {
        let mut query = Query::default();
        match self {
            Self::Orders { filter, cursor, .. } => {
                query.put("limit", PAGE_ROWS.to_string());
                query.put("state", filter.state.map(|state| state.as_str().to_owned()).unwrap_or_default());
                query.put("customerId", filter.customer.map(|id| id.to_string()).unwrap_or_default());
                query.put("q", filter.search.trim());
                query.put("cursor", cursor.clone().unwrap_or_default());
                query.after("/api/orders")
            }
            Self::Customers { search, cursor, .. } => {
                query.put("limit", PAGE_ROWS.to_string());
                query.put("q", search.trim());
                query.put("cursor", cursor.clone().unwrap_or_default());
                query.after("/api/customers")
            }
            Self::PollOrders => {
                query.put("limit", PAGE_ROWS.to_string());
                query.after("/api/orders")
            }
            Self::Order { id, min_version } => {
                query.put("minVersion", min_version_text(*min_version));
                query.after(&format!("/api/orders/{id}"))
            }
            Self::Customer { id, min_version } => {
                query.put("minVersion", min_version_text(*min_version));
                query.after(&format!("/api/customers/{id}"))
            }
        }
    }
}

fn min_version_text(version: Version) -> String {
    if version > Version::default() { version.to_string() } else { String::new() }
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A page of orders.
    Orders(Page<Order>),
    /// A page of customers.
    Customers(Page<Customer>),
    /// One order.
    Order(Box<Order>),
    /// One customer.
    Customer(Box<Customer>),
}

impl Answer {
    /// Reads the JSON that answers an ask.
    ///
    /// # Errors
    /// When it is not what was asked for.
    pub fn parse(ask: &Ask, json: &str) -> Result<Self, serde_json::Error> {
        Ok(match ask {
            Ask::Orders { .. } | Ask::PollOrders => Self::Orders(serde_json::from_str(json)?),
            Ask::Customers { .. } => Self::Customers(serde_json::from_str(json)?),
            Ask::Order { .. } => Self::Order(serde_json::from_str(json)?),
            Ask::Customer { .. } => Self::Customer(serde_json::from_str(json)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_names_only_what_it_needs() {
        let filter = OrderFilter { search: " a b ".to_owned(), ..OrderFilter::default() };
        let ask = Ask::Orders { reading: Reading::default(), filter, cursor: None };
        assert_eq!(ask.url(), "/api/orders?limit=100&q=a+b");
    }
}
