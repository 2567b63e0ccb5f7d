//! Addresses: which page a URL means, and which URL shows a page. All that a page's view depends on is in the URL.

use crate::filter::OrderFilter;
use tramline_contract::{CustomerId, OrderId};

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The list of orders.
    Orders(OrderFilter),
    /// The dialog that places an order, over the list.
    NewOrder {
        /// The customer that is chosen at first.
        customer: Option<CustomerId>,
    },
    /// One order.
    Order(OrderId),
    /// The list of customers.
    Customers {
        /// Part of the names to show.
        search: String,
    },
    /// The dialog that adds a customer, over the list.
    NewCustomer,
    /// One customer.
    Customer(CustomerId),
    /// Theme and keyboard.
    Settings,
    /// An order's address with something else than an id in it.
    UnknownOrder(String),
    /// A customer's address with something else than an id in it.
    UnknownCustomer(String),
    /// Nothing is here.
    NotFound,
}

impl Route {
    /// The list of orders with nothing filtered.
    #[must_use]
    pub fn all_orders() -> Self {
        Self::Orders(OrderFilter::default())
    }

    /// The list of customers with nothing filtered.
    #[must_use]
    pub fn all_customers() -> Self {
        Self::Customers { search: String::new() }
    }

    /// The page of an address. `search` is the query with or without its question mark.
    #[must_use]
    pub fn parse(path: &str, search: &str) -> Self {
        let query = Query::parse(search);
        let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            [] | ["orders"] => Self::Orders(OrderFilter::from_query(&query)),
            ["orders", "new"] => Self::NewOrder { customer: query.get("customer").and_then(|text| text.parse().ok()) },
            ["orders", id] => id.parse().map_or_else(|_| Self::UnknownOrder((*id).to_owned()), Self::Order),
            ["customers"] => Self::Customers { search: query.get("q").unwrap_or_default().to_owned() },
            ["customers", "new"] => Self::NewCustomer,
            ["customers", id] => id.parse().map_or_else(|_| Self::UnknownCustomer((*id).to_owned()), Self::Customer),
            ["settings"] => Self::Settings,
            _ => Self::NotFound,
        }
    }

    /// The address of the page: path and query.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Orders(filter) => filter.to_query().after("/orders"),
            Self::NewOrder { customer } => {
                let mut query = Query::default();
                query.put("customer", customer.map(|id| id.to_string()).unwrap_or_default());
                query.after("/orders/new")
            }
            Self::Order(id) => format!("/orders/{id}"),
            Self::Customers { search } => {
                let mut query = Query::default();
                query.put("q", search.clone());
                query.after("/customers")
            }
            Self::NewCustomer => "/customers/new".to_owned(),
            Self::Customer(id) => format!("/customers/{id}"),
            Self::Settings => "/settings".to_owned(),
            Self::UnknownOrder(text) => format!("/orders/{}", encode(text)),
            Self::UnknownCustomer(text) => format!("/customers/{}", encode(text)),
            Self::NotFound => "/not-found".to_owned(),
        }
    }

    /// What the window's title says before the product's name.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Orders(_) => "Orders".to_owned(),
            Self::NewOrder { .. } => "Place order".to_owned(),
            Self::Order(id) => format!("Order {}", crate::text::short_id(id.0)),
            Self::Customers { .. } => "Customers".to_owned(),
            Self::NewCustomer => "Add customer".to_owned(),
            Self::Customer(_) => "Customer".to_owned(),
            Self::Settings => "Settings".to_owned(),
            Self::UnknownOrder(_) => "Unknown order".to_owned(),
            Self::UnknownCustomer(_) => "Unknown customer".to_owned(),
            Self::NotFound => "Page not found".to_owned(),
        }
    }
}

/// The fields of a URL's query. Empty values are left out, so that an address says only what differs from the rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query with or without its question mark.
    #[must_use]
    pub fn parse(search: &str) -> Self {
        let pairs = search.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Adds a field, unless its value is empty.
    pub fn put(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name.to_owned(), value));
        }
    }

    /// The address of `path` with this query.
    #[must_use]
    pub fn after(&self, path: &str) -> String {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let escaped = (bytes[place] == b'%')
            .then(|| bytes.get(place + 1..place + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (escaped, bytes[place]) {
            (Some(byte), _) => {
                decoded.push(byte);
                place += 2;
            }
            (None, b'+') => decoded.push(b' '),
            (None, byte) => decoded.push(byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Sort;
    use proptest::prelude::*;
    use tramline_contract::OrderState;

    const ID: &str = "018f0000-0000-7000-8000-000000000001";

    #[test]
    fn every_page_has_its_address() {
        let id = ID.parse().expect("it is a UUID");
        for (path, search, route) in [
            ("/", "", Route::all_orders()),
            ("/orders/", "", Route::all_orders()),
            ("/orders/new", "?customer=", Route::NewOrder { customer: None }),
            ("/orders/018f0000-0000-7000-8000-000000000001", "", Route::Order(id)),
            ("/orders/7", "", Route::UnknownOrder("7".to_owned())),
            ("/customers", "?q=a%20b+c", Route::Customers { search: "a b c".to_owned() }),
            ("/customers/new", "", Route::NewCustomer),
            ("/settings", "", Route::Settings),
            ("/ops", "", Route::NotFound),
            ("/orders/7/8", "", Route::NotFound),
        ] {
            assert_eq!(Route::parse(path, search), route, "{path}{search}");
        }
    }

    proptest! {
        #[test]
        fn a_copied_address_shows_the_same_list(
            search in "\\PC{0,20}",
            state in prop::option::of(prop::sample::select(&OrderState::ALL[..])),
            sort in prop::sample::select(&Sort::ALL[..]),
            customer in any::<bool>(),
        ) {
            let customer = customer.then(|| ID.parse().expect("it is a UUID"));
            let route = Route::Orders(OrderFilter { state, customer, search, sort });
            let url = route.url();
            let (path, query) = url.split_once('?').unwrap_or((&url, ""));
            prop_assert_eq!(Route::parse(path, query), route);
        }

        #[test]
        fn no_address_makes_it_panic(path in ".{0,40}", search in ".{0,40}") {
            let _ = Route::parse(&path, &search).url();
        }
    }
}
