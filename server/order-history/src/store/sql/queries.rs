//! Reads the current generation in the tables of the view. Every list is bounded and newest first.
//!
//! What is found by its id is compared with `generation + 0`: PostgreSQL, which may think of a table that it is as small as it was
//! once, would else choose an index that begins with the generation and read all of it.

use crate::{cursor::Place, store::OrderFilter};
use tramline_contract::OrderState;
use tramline_db::{Statement, sql};
use uuid::Uuid;

pub(super) fn customers_by_ids(ids: impl Iterator<Item = Uuid>) -> Statement {
    sql("select c.customer_id, c.name, c.credit_limit, c.reserved, c.paid, c.version, c.created_at, \
         coalesce(n.order_count, 0) as order_count \
         from customer_view as c left join customer_order_count as n on n.customer_id = c.customer_id and n.generation = c.generation \
         where c.generation + 0 = (select current from view_generation where id = 1) \
         and c.customer_id in (select wanted.id from rows($1: id uuid) as wanted)")
    .column(ids)
}

pub(super) fn orders_by_ids(ids: impl Iterator<Item = Uuid>) -> Statement {
    sql("select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.last_refusal, \
         o.coordination, o.saga_id, o.version, o.created_at, o.updated_at \
         from order_view as o left join customer_view as c on c.customer_id = o.customer_id and c.generation = o.generation \
         where o.generation + 0 = (select current from view_generation where id = 1) \
         and o.order_id in (select wanted.id from rows($1: id uuid) as wanted)")
    .column(ids)
}

/// Customers whose name contains `q`.
pub(super) fn customers(q: Option<&str>, after: Place, limit: i64) -> Statement {
    sql("select c.customer_id, c.name, c.credit_limit, c.reserved, c.paid, c.version, c.created_at, \
         coalesce(n.order_count, 0) as order_count \
         from customer_view as c left join customer_order_count as n on n.customer_id = c.customer_id and n.generation = c.generation \
         where c.generation = (select current from view_generation where id = 1) \
         and (c.created_at, c.customer_id) < ($1, $2) and ($3 is null or instr(c.name_folded, $3) > 0) \
         order by c.created_at desc, c.customer_id desc limit $4")
    .bind(after.created_at)
    .bind(after.id)
    .bind(q.map(str::to_lowercase))
    .bind(limit)
}

/// Orders that pass a filter. One text per index that leads: SQLite does not plan around optional conditions.
pub(super) fn orders(filter: &OrderFilter, after: Place, limit: i64) -> Statement {
    let leading = match (filter.customer_id, filter.state) {
        (Some(customer), _) => sql(
            "select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.last_refusal, \
             o.coordination, o.saga_id, o.version, o.created_at, o.updated_at \
             from order_view as o left join customer_view as c on c.customer_id = o.customer_id and c.generation = o.generation \
             where o.generation = (select current from view_generation where id = 1) \
             and o.customer_id = $1 and (o.created_at, o.order_id) < ($2, $3) and ($4 is null or o.state = $4) \
             and ($5 is null or instr(c.name_folded, $5) > 0 or instr(lower(hex(o.order_id)), $6) = 1) \
             order by o.created_at desc, o.order_id desc limit $7",
        )
        .bind(customer.0),
        (None, Some(state)) => sql(
            "select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.last_refusal, \
             o.coordination, o.saga_id, o.version, o.created_at, o.updated_at \
             from order_view as o left join customer_view as c on c.customer_id = o.customer_id and c.generation = o.generation \
             where o.generation = (select current from view_generation where id = 1) \
             and o.state = $1 and (o.created_at, o.order_id) < ($2, $3) and ($4 is null or o.state = $4) \
             and ($5 is null or instr(c.name_folded, $5) > 0 or instr(lower(hex(o.order_id)), $6) = 1) \
             order by o.created_at desc, o.order_id desc limit $7",
        )
        .bind(state.as_str()),
        (None, None) => sql(
            "select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.last_refusal, \
             o.coordination, o.saga_id, o.version, o.created_at, o.updated_at \
             from order_view as o left join customer_view as c on c.customer_id = o.customer_id and c.generation = o.generation \
             where o.generation = (select current from view_generation where id = 1) \
             and $1 is null and (o.created_at, o.order_id) < ($2, $3) and ($4 is null or o.state = $4) \
             and ($5 is null or instr(c.name_folded, $5) > 0 or instr(lower(hex(o.order_id)), $6) = 1) \
             order by o.created_at desc, o.order_id desc limit $7",
        )
        .bind(None::<i64>),
    };
    let folded = filter.q.as_deref().map(str::to_lowercase);
    leading
        .bind(after.created_at)
        .bind(after.id)
        .bind(filter.state.map(OrderState::as_str))
        .bind(folded.clone())
        .bind(folded.map(|q| q.replace('-', "")))
        .bind(limit)
}
