//! Writes changes to the view: a row only ever gives way to a newer version.

use crate::{
    projection::Changes,
    queries::{self, CustomerRow, OrderRow},
};
use serde_json::json;
use std::collections::HashMap;
use tramline_contract::{Customer, CustomerId, Order};
use tramline_db::{DbError, Tx, sql};
use uuid::Uuid;

/// Documents that a batch changed, as they are since.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) customers: Vec<Customer>,
    pub(crate) orders: Vec<Order>,
}

/// Applies changes, and returns the documents that they really changed.
pub(crate) async fn apply(tx: &mut Tx, mut changes: Changes) -> Result<Changed, DbError> {
    let known = known_versions(tx, &changes).await?;
    let is_news = |id: &Uuid, version: i64| known.get(id).is_none_or(|known| *known < version);
    let new_orders: Vec<CustomerId> = changes
        .orders
        .iter()
        .filter(|(id, _)| !known.contains_key(&id.0))
        .map(|(_, (_, order))| order.customer_id)
        .collect();
    changes.customers.retain(|id, (version, _)| is_news(&id.0, *version));
    changes.orders.retain(|id, (version, _)| is_news(&id.0, *version));
    put_orders(tx, &changes).await?;
    count_orders(tx, new_orders).await?;
    put_customers(tx, &changes).await?;
    read_back(tx, &changes).await
}

fn hex_list(ids: impl Iterator<Item = Uuid>) -> String {
    json!(ids.map(|id| id.simple().to_string()).collect::<Vec<_>>()).to_string()
}

/// The versions that the view has of every aggregate in the batch.
async fn known_versions(tx: &mut Tx, changes: &Changes) -> Result<HashMap<Uuid, i64>, DbError> {
    let rows: Vec<(Uuid, i64)> = tx
        .all(
            sql("select order_id, version from order_view where order_id in (select unhex(value) from json_each($1)) \
                 union all \
                 select customer_id, version from customer_view where customer_id in (select unhex(value) from json_each($2))")
            .bind(hex_list(changes.orders.keys().map(|id| id.0)))
            .bind(hex_list(changes.customers.keys().map(|id| id.0))),
        )
        .await?;
    Ok(rows.into_iter().collect())
}

async fn put_orders(tx: &mut Tx, changes: &Changes) -> Result<(), DbError> {
    if changes.orders.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = changes
        .orders
        .iter()
        .map(|(id, (version, order))| {
            json!([
                id.0.simple().to_string(),
                order.customer_id.0.simple().to_string(),
                order.total.minor(),
                order.state,
                order.rejection_reason,
                order.coordination,
                order.saga_id.map(|id| id.0.simple().to_string()),
                version,
                order.created_at_micros,
                order.updated_at_micros
            ])
        })
        .collect();
    tx.execute(
        sql("insert into order_view (order_id, customer_id, total, state, rejection_reason, coordination, saga_id, version, \
             created_at, updated_at) \
             select unhex(value->>0), unhex(value->>1), value->>2, value->>3, value->>4, value->>5, unhex(value->>6), \
             value->>7, value->>8, value->>9 from json_each($1) where true \
             on conflict (order_id) do update set total = excluded.total, state = excluded.state, \
             rejection_reason = excluded.rejection_reason, saga_id = excluded.saga_id, version = excluded.version, \
             updated_at = excluded.updated_at \
             where excluded.version > order_view.version")
        .bind(json!(rows).to_string()),
    )
    .await?;
    Ok(())
}

async fn put_customers(tx: &mut Tx, changes: &Changes) -> Result<(), DbError> {
    if changes.customers.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = changes
        .customers
        .iter()
        .map(|(id, (version, customer))| {
            json!([
                id.0.simple().to_string(),
                customer.name,
                customer.name.to_lowercase(),
                customer.credit_limit.minor(),
                customer.reserved.minor(),
                customer.paid.minor(),
                version,
                customer.created_at_micros
            ])
        })
        .collect();
    tx.execute(
        sql("insert into customer_view (customer_id, name, name_folded, credit_limit, reserved, paid, version, created_at) \
             select unhex(value->>0), value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7 \
             from json_each($1) where true \
             on conflict (customer_id) do update set name = excluded.name, name_folded = excluded.name_folded, \
             credit_limit = excluded.credit_limit, reserved = excluded.reserved, paid = excluded.paid, \
             version = excluded.version \
             where excluded.version > customer_view.version")
        .bind(json!(rows).to_string()),
    )
    .await?;
    Ok(())
}

/// Raises the counts of the customers whose orders are new to the view.
async fn count_orders(tx: &mut Tx, customers: Vec<CustomerId>) -> Result<(), DbError> {
    if customers.is_empty() {
        return Ok(());
    }
    let mut counts: HashMap<CustomerId, i64> = HashMap::new();
    for customer in customers {
        *counts.entry(customer).or_default() += 1;
    }
    let rows: Vec<_> = counts.iter().map(|(id, n)| json!([id.0.simple().to_string(), n])).collect();
    tx.execute(
        sql("insert into customer_order_count (customer_id, order_count) \
             select unhex(value->>0), value->>1 from json_each($1) where true \
             on conflict (customer_id) do update \
             set order_count = customer_order_count.order_count + excluded.order_count")
        .bind(json!(rows).to_string()),
    )
    .await?;
    Ok(())
}

async fn read_back(tx: &mut Tx, changes: &Changes) -> Result<Changed, DbError> {
    let mut changed = Changed::default();
    if !changes.orders.is_empty() {
        let ids = hex_list(changes.orders.keys().map(|id| id.0));
        let rows: Vec<OrderRow> = tx.all(queries::orders_by_ids(ids)).await?;
        changed.orders = rows.into_iter().map(OrderRow::into_order).collect::<Result<_, _>>()?;
        changed.orders.sort_by(|left, right| left.updated_at.cmp(&right.updated_at));
    }
    if !changes.customers.is_empty() {
        let ids = hex_list(changes.customers.keys().map(|id| id.0));
        let rows: Vec<CustomerRow> = tx.all(queries::customers_by_ids(ids)).await?;
        changed.customers = rows.into_iter().map(CustomerRow::into_customer).collect();
    }
    Ok(changed)
}
