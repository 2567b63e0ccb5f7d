//! Writes changes to the view: a row only ever gives way to a newer version.

use super::queries;
use crate::{
    heal::{self, Aggregate, Jump},
    projection::Changes,
    store::{
        Target, Versions, generation_and_versions,
        rows::{CustomerRow, OrderRow},
        versions,
    },
};
use std::collections::BTreeMap;
use tramline_contract::{Customer, CustomerId, Order, RejectionReason};
use tramline_db::{DbError, Tx, sql, values};
use tramline_messaging::HandlerError;
use uuid::Uuid;

/// Documents that a batch changed, as they are since.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) customers: Vec<Customer>,
    pub(crate) orders: Vec<Order>,
    /// What of them the view has missed, and is marked.
    pub(crate) jumps: Vec<Jump>,
}

/// Applies changes to a generation, and returns the documents that they really changed; of one that is built, none.
pub(crate) async fn apply(tx: &mut Tx, target: Target, mut changes: Changes) -> Result<Changed, HandlerError> {
    let orders = changes.orders.keys().map(|id| (ORDER, id.0));
    let wanted = orders.chain(changes.customers.keys().map(|id| (CUSTOMER, id.0))).collect();
    let (generation, known) = generation_and_versions(tx, target, VERSIONS, wanted).await?;
    let known = |kind: &str, id: Uuid| known.get(&(kind.to_owned(), id)).copied();
    let jumps = match target {
        Target::Current => changes.jumps(|aggregate| match aggregate {
            Aggregate::Customer(id) => known(CUSTOMER, id.0),
            Aggregate::Order(id) => known(ORDER, id.0),
        }),
        // Nobody reads it yet, and an outbox is replayed without gaps.
        Target::Building(_) => Vec::new(),
    };
    let new_orders: Vec<CustomerId> = changes
        .orders
        .iter()
        .filter(|(id, _)| known(ORDER, id.0).is_none())
        .map(|(_, (_, order))| order.customer_id)
        .collect();
    changes.customers.retain(|id, (version, _)| known(CUSTOMER, id.0).is_none_or(|known| known < *version));
    changes.orders.retain(|id, (version, _)| known(ORDER, id.0).is_none_or(|known| known < *version));
    put_orders(tx, generation, &changes).await?;
    count_orders(tx, generation, new_orders).await?;
    put_customers(tx, generation, &changes).await?;
    heal::put(tx, &jumps).await?;
    match target {
        Target::Current => Ok(Changed { jumps, ..read_back(tx, &changes).await? }),
        Target::Building(_) => Ok(Changed::default()),
    }
}

const ORDER: &str = "order";
const CUSTOMER: &str = "customer";

const VERSIONS: Versions = versions!(
    "case wanted.kind \
     when 'order' then (select o.version from order_view as o where o.order_id = wanted.id and o.generation + 0 = g.written) \
     else (select c.version from customer_view as c where c.customer_id = wanted.id and c.generation + 0 = g.written) end"
);

async fn put_orders(tx: &mut Tx, generation: i64, changes: &Changes) -> Result<(), DbError> {
    if changes.orders.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = changes
        .orders
        .iter()
        .map(|(id, (version, order))| {
            values![
                id.0,
                order.customer_id.0,
                order.total.minor(),
                order.state.as_str(),
                order.rejection_reason.map(RejectionReason::as_str),
                order.last_refusal.map(RejectionReason::as_str),
                order.coordination.as_str(),
                order.saga_id.map(|id| id.0),
                *version,
                order.created_at_micros,
                order.updated_at_micros
            ]
        })
        .collect();
    tx.execute(
        sql("insert into order_view (generation, order_id, customer_id, total, state, rejection_reason, last_refusal, coordination, \
             saga_id, version, created_at, updated_at) \
             select $2, new.id, new.customer_id, new.total, new.state, new.rejection_reason, new.last_refusal, \
             new.coordination, new.saga_id, new.version, new.created_at, new.updated_at \
             from rows($1: id uuid, customer_id uuid, total bigint, state text, rejection_reason text, last_refusal text, \
             coordination text, saga_id uuid, version bigint, created_at bigint, updated_at bigint) as new where true \
             on conflict (order_id, generation) do update set total = excluded.total, state = excluded.state, \
             rejection_reason = excluded.rejection_reason, last_refusal = excluded.last_refusal, \
             saga_id = excluded.saga_id, version = excluded.version, updated_at = excluded.updated_at \
             where excluded.version > order_view.version")
        .rows(rows)
        .bind(generation),
    )
    .await?;
    Ok(())
}

async fn put_customers(tx: &mut Tx, generation: i64, changes: &Changes) -> Result<(), DbError> {
    if changes.customers.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = changes
        .customers
        .iter()
        .map(|(id, (version, customer))| {
            values![
                id.0,
                &customer.name,
                customer.name.to_lowercase(),
                customer.credit_limit.minor(),
                customer.reserved.minor(),
                customer.paid.minor(),
                *version,
                customer.created_at_micros
            ]
        })
        .collect();
    tx.execute(
        sql("insert into customer_view (generation, customer_id, name, name_folded, credit_limit, reserved, paid, version, created_at) \
             select $2, new.id, new.name, new.folded, new.credit_limit, new.reserved, new.paid, new.version, new.created_at \
             from rows($1: id uuid, name text, folded text, credit_limit bigint, reserved bigint, paid bigint, \
             version bigint, created_at bigint) as new where true \
             on conflict (customer_id, generation) do update set name = excluded.name, name_folded = excluded.name_folded, \
             credit_limit = excluded.credit_limit, reserved = excluded.reserved, paid = excluded.paid, \
             version = excluded.version \
             where excluded.version > customer_view.version")
        .rows(rows)
        .bind(generation),
    )
    .await?;
    Ok(())
}

/// Raises the counts of the customers whose orders are new to the view.
async fn count_orders(tx: &mut Tx, generation: i64, customers: Vec<CustomerId>) -> Result<(), DbError> {
    if customers.is_empty() {
        return Ok(());
    }
    // In the order of the id, so that two transactions never wait for each other.
    let mut counts: BTreeMap<CustomerId, i64> = BTreeMap::new();
    for customer in customers {
        *counts.entry(customer).or_default() += 1;
    }
    let rows: Vec<_> = counts.iter().map(|(id, n)| values![id.0, *n]).collect();
    tx.execute(
        sql("insert into customer_order_count (generation, customer_id, order_count) \
             select $2, new.id, new.count from rows($1: id uuid, count bigint) as new where true \
             on conflict (customer_id, generation) do update \
             set order_count = customer_order_count.order_count + excluded.order_count")
        .rows(rows)
        .bind(generation),
    )
    .await?;
    Ok(())
}

async fn read_back(tx: &mut Tx, changes: &Changes) -> Result<Changed, DbError> {
    let mut changed = Changed::default();
    if !changes.orders.is_empty() {
        let ids = changes.orders.keys().map(|id| id.0);
        let rows: Vec<OrderRow> = tx.all(queries::orders_by_ids(ids)).await?;
        changed.orders = rows.into_iter().map(OrderRow::into_order).collect::<Result<_, _>>()?;
        changed.orders.sort_by(|left, right| left.updated_at.cmp(&right.updated_at));
    }
    if !changes.customers.is_empty() {
        let ids = changes.customers.keys().map(|id| id.0);
        let rows: Vec<CustomerRow> = tx.all(queries::customers_by_ids(ids)).await?;
        changed.customers = rows.into_iter().map(CustomerRow::into_customer).collect();
    }
    Ok(changed)
}
