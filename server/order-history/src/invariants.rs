//! The view as it stands, to be held against the truth. Read-only.

use tramline_contract::{CustomerId, Money, OrderId};
use tramline_db::{Db, DbError, sql};
use uuid::Uuid;

/// What the view says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewOrder {
    /// Which.
    pub id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Where it stands.
    pub state: String,
    /// The events included.
    pub version: i64,
}

/// What the view says of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewCustomer {
    /// Which.
    pub id: CustomerId,
    /// Held by orders.
    pub reserved: Money,
    /// The events included.
    pub version: i64,
    /// How many orders.
    pub order_count: i64,
}

/// Everything that the view says.
///
/// # Errors
/// When the database fails.
pub async fn read_view(db: &Db) -> Result<(Vec<ViewCustomer>, Vec<ViewOrder>), DbError> {
    let customers: Vec<(Uuid, i64, i64, i64)> = db
        .all(sql("select c.customer_id, c.reserved, c.version, coalesce(n.order_count, 0) from customer_view as c \
             left join customer_order_count as n on n.customer_id = c.customer_id"))
        .await?;
    let orders: Vec<(Uuid, Uuid, i64, String, i64)> =
        db.all(sql("select order_id, customer_id, total, state, version from order_view")).await?;
    let customers = customers.into_iter().map(|(id, reserved, version, order_count)| ViewCustomer {
        id: CustomerId(id),
        reserved: Money::from_minor(reserved),
        version,
        order_count,
    });
    let orders = orders.into_iter().map(|(id, customer, total, state, version)| ViewOrder {
        id: OrderId(id),
        customer_id: CustomerId(customer),
        total: Money::from_minor(total),
        state,
        version,
    });
    Ok((customers.collect(), orders.collect()))
}
