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
        last_refusal: Option<String>,
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
        sql("select order_id, total, state, rejection_reason, last_refusal, coordination, saga_id, version, created_at, \
             updated_at from customer_order where customer_id = $1 order by created_at desc, order_id desc limit $2")
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
        let row = Row {
            customer_id: customer.0,
            total: self.total,
            state: self.state,
            rejection_reason: self.rejection_reason,
            last_refusal: self.last_refusal,
            coordination: self.coordination,
            saga_id: self.saga_id,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        row.into_order(OrderId(self.order_id)).map(document)
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
        last_refusal: order.last_refusal,
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
