//! What the owners of data answer to whoever composes it: each its own part, and nothing of the other's.

use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, Money, Order, Timestamp, Version};

/// An account as the customers service knows it, up to its newest event. `GET /customers/{id}` there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerAccount {
    /// Names the customer.
    pub id: CustomerId,
    /// What the customer is called.
    pub name: String,
    /// How much may be owed at most.
    pub credit_limit: Money,
    /// Held by orders.
    pub reserved: Money,
    /// Paid so far.
    pub paid: Money,
    /// `creditLimit − reserved + paid`.
    pub available_credit: Money,
    /// The events so far.
    pub version: Version,
    /// When the customer was created.
    pub created_at: Timestamp,
}

/// A customer's orders as the orders service knows them. `GET /customers/{id}/orders` there. Whether there is such a
/// customer, that service cannot know: without orders the list is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrdersOfCustomer {
    /// The newest, newest first, without the customer's name.
    pub orders: Vec<Order>,
    /// How many the customer has placed, whatever became of them.
    pub order_count: i64,
}
