//! What the user asks the server to do, and what comes back.

use serde::{Deserialize, Serialize};
use tramline_contract::{
    Coordination, CreateCustomer, CreateOrder, Customer, CustomerId, CustomerName, Money, Order, OrderId, Page,
    Problem, Version,
};
use uuid::Uuid;

use crate::filter::OrderFilter;

/// How many rows one page of a list asks for; the most that the server gives.
pub const PAGE_ROWS: usize = 100;

/// A command. Its id is the new aggregate's id and the idempotency key, so sending it again does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Place an order.
    PlaceOrder {
        /// The new order.
        id: OrderId,
        /// Who buys.
        customer_id: CustomerId,
        /// What it costs.
        total: Money,
    },
    /// Add a customer.
    CreateCustomer {
        /// The new customer.
        id: CustomerId,
        /// What the customer is called.
        name: CustomerName,
        /// How much may be owed at most.
        credit_limit: Money,
    },
}

impl Command {
    /// The new aggregate's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::PlaceOrder { id, .. } => id.0,
            Self::CreateCustomer { id, .. } => id.0,
        }
    }

    /// Where it is posted.
    #[must_use]
    pub fn path(&self) -> &'static str {
        match self {
            Self::PlaceOrder { .. } => "/api/orders",
            Self::CreateCustomer { .. } => "/api/customers",
        }
    }

    /// The JSON that is posted.
    #[must_use]
    pub fn body(&self) -> String {
        let body = match self.clone() {
            Self::PlaceOrder { id, customer_id, total } => serde_json::to_string(&CreateOrder {
                id: Some(id),
                customer_id,
                total,
                coordination: Coordination::default(),
            }),
            Self::CreateCustomer { id, name, credit_limit } => {
                serde_json::to_string(&CreateCustomer { id: Some(id), name, credit_limit })
            }
        };
        body.expect("plain data is always JSON")
    }

    /// The read that shows whether it was carried out.
    #[must_use]
    pub fn check(&self) -> Ask {
        match self {
            Self::PlaceOrder { id, .. } => Ask::Order { id: *id, min_version: Version::FIRST },
            Self::CreateCustomer { id, .. } => Ask::Customer { id: *id, min_version: Version::FIRST },
        }
    }
}

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
        let mut query = crate::route::Query::default();
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

/// The server took a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    /// The version that the command made.
    pub version: Version,
}

/// Why there is no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came back, or nothing that can be read. What became of a command is not known.
    NoAnswer,
    /// The server answered with a problem.
    Problem(Problem),
}

impl Failure {
    /// Reads an answer that is no success; one that is no problem detail counts as none.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).map_or(Self::NoAnswer, Self::Problem)
    }

    /// The problem of a command that was certainly not carried out. Too busy or too slow is no refusal: it may be sent again.
    #[must_use]
    pub fn refusal(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) if (400..500).contains(&problem.status) => {
                (!matches!(problem.status, 408 | 425 | 429)).then_some(problem)
            }
            Self::Problem(_) | Self::NoAnswer => None,
        }
    }

    /// Whether the thing does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_posted_with_its_own_id() {
        let id = "018f0000-0000-7000-8000-000000000001";
        let command = Command::PlaceOrder {
            id: id.parse().expect("it is a UUID"),
            customer_id: id.parse().expect("it is a UUID"),
            total: Money::from_minor(1_050),
        };
        let body: serde_json::Value = serde_json::from_str(&command.body()).expect("it is JSON");
        assert_eq!((body["id"].as_str(), body["total"].as_str()), (Some(id), Some("10.50")));
    }

    #[test]
    fn only_a_definite_refusal_ends_a_command() {
        let of = |status| Failure::Problem(Problem::new(status, "x", "x", "x"));
        assert!(of(422).refusal().is_some() && of(409).refusal().is_some());
        assert!([408, 429, 500, 503].into_iter().all(|status| of(status).refusal().is_none()));
        assert_eq!(Failure::parse("<html>"), Failure::NoAnswer);
    }

    #[test]
    fn an_ask_names_only_what_it_needs() {
        let filter = OrderFilter { search: " a b ".to_owned(), ..OrderFilter::default() };
        let ask = Ask::Orders { reading: Reading::default(), filter, cursor: None };
        assert_eq!(ask.url(), "/api/orders?limit=100&q=a+b");
    }
}
