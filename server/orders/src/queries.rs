//! Reads orders for whoever composes them with a customer.

use crate::{order::Order, store::Row};
use tramline_contract::{CustomerId, OrderId, Timestamp};
use tramline_db::{Db, DbError, UtcMicros, sql};
use tramline_messages::parts::OrdersOfCustomer;
use uuid::Uuid;

tramline_db::record! {
    struct OfCustomer {
        order_id: Uuid,
        total: i64,
        state: String,
        rejection_reason: Option<String>,
        coordination: String,
        saga_id: Option<Uuid>,
        version: i64,
        created_at: i64,
        updated_at: i64,
    }
}

/// The newest orders of a customer, at most `limit`, and how many there are.
pub(crate) async fn of_customer(db: &Db, customer: CustomerId, limit: i64) -> Result<OrdersOfCustomer, DbError> {
    let newest = db.all::<OfCustomer>(
        sql("select order_id, total, state, rejection_reason, coordination, saga_id, version, created_at, updated_at \
             from customer_order where customer_id = $1 order by created_at desc, order_id desc limit $2")
        .bind(customer.0)
        .bind(limit),
    );
    let orders = newest.await?.into_iter().map(|row| row.into_document(customer)).collect::<Result<_, _>>()?;
    // Within the index alone.
    let count: Option<(i64,)> =
        db.optional(sql("select count(*) from customer_order where customer_id = $1").bind(customer.0)).await?;
    Ok(OrdersOfCustomer { orders, order_count: count.map_or(0, |(count,)| count) })
}

impl OfCustomer {
    fn into_document(self, customer: CustomerId) -> Result<tramline_contract::Order, DbError> {
        let Self { order_id, total, state, rejection_reason, coordination, saga_id, version, created_at, updated_at } =
            self;
        let customer_id = customer.0;
        let row =
            Row { customer_id, total, state, rejection_reason, coordination, saga_id, version, created_at, updated_at };
        row.into_order(OrderId(order_id)).map(document)
    }
}

/// An order as it is shown. The customer's name is another service's.
fn document(order: Order) -> tramline_contract::Order {
    tramline_contract::Order {
        id: order.id,
        customer_id: order.customer_id,
        customer_name: None,
        total: order.total,
        state: order.state,
        rejection_reason: order.rejection_reason,
        last_refusal: None,
        coordination: order.coordination,
        saga_id: order.saga_id,
        version: order.version,
        created_at: timestamp(order.created_at),
        updated_at: timestamp(order.updated_at),
    }
}

fn timestamp(moment: UtcMicros) -> Timestamp {
    Timestamp(moment.to_rfc3339())
}
