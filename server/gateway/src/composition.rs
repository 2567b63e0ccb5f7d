//! *API composition* (Richardson, *Microservices Patterns*, chapter 7): a customer with the newest orders, put together from
//! the services that own the parts, for whoever needs the truth of now and not the view's.
//!
//! [`compose`] decides; it knows no HTTP.

use futures_util::future::join;
use std::time::Duration;
use tramline_contract::{Customer, CustomerId, CustomerOrders, Problem};
use tramline_http::{ApiError, Call, CallError, ServiceClient, TraceParent, problem};
use tramline_messages::parts::{CustomerAccount, OrdersOfCustomer};

/// How long the services may take, both at once. Whoever has not answered by then is missing: a page should rather show a
/// part soon than everything late.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many orders are asked for; as many as the view shows.
const ORDERS_MAX: u32 = 100;

/// What became of asking the owner of a part.
#[derive(Clone, Debug)]
pub(crate) enum Part<T> {
    /// This is it.
    Told(T),
    /// The owner says that there is none.
    None,
    /// The owner did not say, or nothing that could be used.
    Missing,
}

/// Asks both owners at the same time.
pub(crate) async fn customer_with_orders(
    customers: &ServiceClient,
    orders: &ServiceClient,
    id: CustomerId,
    trace: TraceParent,
) -> Result<CustomerOrders, ApiError> {
    let account = customers.get(&format!("/customers/{id}"));
    let newest = orders.get(&format!("/customers/{id}/orders?limit={ORDERS_MAX}"));
    let (account, newest) = join(ask(customers, account, trace), ask(orders, newest, trace)).await;
    compose((customers.name(), account), (orders.name(), newest)).map_err(ApiError::Refused)
}

async fn ask<T: serde::de::DeserializeOwned>(service: &ServiceClient, call: Call, trace: TraceParent) -> Part<T> {
    match call.within(DEADLINE).traced(Some(trace)).json().await {
        Ok(part) => Part::Told(part),
        // Not any 404: an older service may lack the address.
        Err(CallError::Refused(problem)) if *problem == Problem::not_found("customer") => Part::None,
        Err(error) => {
            tracing::warn!(service = service.name(), %error, "a part of a composition is missing");
            Part::Missing
        }
    }
}

/// Puts the parts together. Each comes with the name of its owner.
///
/// # Errors
/// 404 when there is no such customer, 503 when nobody has answered.
fn compose(
    (customers, account): (&str, Part<CustomerAccount>),
    (orders, newest): (&str, Part<OrdersOfCustomer>),
) -> Result<CustomerOrders, Box<Problem>> {
    let mut missing = Vec::new();
    let account = match account {
        Part::Told(account) => Some(account),
        Part::None => return Err(Box::new(Problem::not_found("customer"))),
        Part::Missing => {
            missing.push(customers.to_owned());
            None
        }
    };
    // The orders service knows no customers, so it never says that there is none.
    let newest = match newest {
        Part::Told(newest) => newest,
        Part::None | Part::Missing => {
            missing.push(orders.to_owned());
            OrdersOfCustomer { orders: Vec::new(), order_count: 0 }
        }
    };
    if missing.len() == 2 {
        return Err(Box::new(problem::service_unavailable(&[customers, orders])));
    }
    let OrdersOfCustomer { mut orders, order_count } = newest;
    for order in &mut orders {
        order.customer_name = account.as_ref().map(|account| account.name.clone());
    }
    let customer = account.map(|account| customer(account, order_count));
    Ok(CustomerOrders { customer, orders, source: "composition".to_owned(), complete: missing.is_empty(), missing })
}

fn customer(account: CustomerAccount, order_count: i64) -> Customer {
    let CustomerAccount { id, name, credit_limit, reserved, paid, available_credit, version, created_at } = account;
    Customer { id, name, credit_limit, reserved, paid, available_credit, version, created_at, order_count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "018f0000-0000-7000-8000-000000000001";

    fn account() -> Part<CustomerAccount> {
        let account = json!({
            "id": ID, "name": "Ada", "creditLimit": "10.00", "reserved": "4.00", "paid": "0.00",
            "availableCredit": "6.00", "version": 2, "createdAt": "2026-01-01T00:00:00.000000Z",
        });
        Part::Told(serde_json::from_value(account).expect("an account"))
    }

    fn newest() -> Part<OrdersOfCustomer> {
        let order = json!({
            "id": ID, "customerId": ID, "total": "4.00", "state": "APPROVED", "coordination": "orchestration",
            "version": 2, "createdAt": "2026-01-01T00:00:00.000000Z", "updatedAt": "2026-01-01T00:00:00.000000Z",
        });
        Part::Told(serde_json::from_value(json!({"orders": [order], "orderCount": 7})).expect("orders"))
    }

    fn composed(
        account: Part<CustomerAccount>,
        newest: Part<OrdersOfCustomer>,
    ) -> Result<CustomerOrders, Box<Problem>> {
        compose(("customers", account), ("orders", newest))
    }

    #[test]
    fn both_parts_make_a_whole() {
        let whole = composed(account(), newest()).expect("both have answered");
        let customer = whole.customer.expect("it is told");
        assert_eq!((customer.name.as_str(), customer.order_count), ("Ada", 7));
        assert_eq!(whole.orders[0].customer_name.as_deref(), Some("Ada"));
        assert_eq!((whole.source.as_str(), whole.complete, whole.missing), ("composition", true, Vec::new()));
    }

    #[test]
    fn a_part_that_is_missing_is_named() {
        let orders_alone = composed(Part::Missing, newest()).expect("one has answered");
        assert_eq!((orders_alone.customer, orders_alone.orders.len()), (None, 1));
        assert_eq!((orders_alone.complete, orders_alone.missing), (false, vec!["customers".to_owned()]));
        let customer_alone = composed(account(), Part::Missing).expect("one has answered");
        assert_eq!(customer_alone.customer.map(|customer| customer.order_count), Some(0));
        assert_eq!((customer_alone.complete, customer_alone.missing), (false, vec!["orders".to_owned()]));
    }

    #[test]
    fn nothing_at_all_is_a_refusal() {
        assert_eq!(composed(Part::Missing, Part::Missing).expect_err("nobody answers").code, "service-unavailable");
        for newest in [newest(), Part::Missing] {
            assert_eq!(composed(Part::None, newest).expect_err("there is none").status, 404);
        }
    }
}
