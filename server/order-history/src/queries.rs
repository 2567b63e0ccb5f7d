//! Reads the view. Every list is bounded and newest first.

use crate::cursor::Place;
use tramline_contract::{
    Coordination, Customer, CustomerId, Money, Order, OrderId, OrderState, RejectionReason, SagaId, Timestamp, Version,
};
use tramline_db::{DbError, Statement, UtcMicros, sql};
use uuid::Uuid;

tramline_db::record! {
    pub(crate) struct CustomerRow {
        customer_id: Uuid,
        name: String,
        credit_limit: i64,
        reserved: i64,
        paid: i64,
        version: i64,
        created_at: i64,
        order_count: i64,
    }
}

impl CustomerRow {
    pub(crate) fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.customer_id }
    }

    pub(crate) fn into_customer(self) -> Customer {
        Customer {
            id: CustomerId(self.customer_id),
            name: self.name,
            credit_limit: Money::from_minor(self.credit_limit),
            reserved: Money::from_minor(self.reserved),
            paid: Money::from_minor(self.paid),
            available_credit: Money::from_minor(self.credit_limit - self.reserved + self.paid),
            version: Version(self.version),
            created_at: timestamp(self.created_at),
            order_count: self.order_count,
        }
    }
}

tramline_db::record! {
    pub(crate) struct OrderRow {
        order_id: Uuid,
        customer_id: Uuid,
        customer_name: Option<String>,
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

impl OrderRow {
    pub(crate) fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.order_id }
    }

    pub(crate) fn into_order(self) -> Result<Order, DbError> {
        Ok(Order {
            id: OrderId(self.order_id),
            customer_id: CustomerId(self.customer_id),
            customer_name: self.customer_name,
            total: Money::from_minor(self.total),
            state: OrderState::parse(&self.state).ok_or_else(|| DbError::corrupt("an order's state", self.state))?,
            rejection_reason: self.rejection_reason.as_deref().and_then(RejectionReason::parse),
            last_refusal: None,
            coordination: Coordination::parse(&self.coordination)
                .ok_or_else(|| DbError::corrupt("an order's coordination", self.coordination))?,
            saga_id: self.saga_id.map(SagaId),
            version: Version(self.version),
            created_at: timestamp(self.created_at),
            updated_at: timestamp(self.updated_at),
        })
    }
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp(UtcMicros(micros).to_rfc3339())
}

pub(crate) fn customers_by_ids(ids: impl Iterator<Item = Uuid>) -> Statement {
    sql("select c.customer_id, c.name, c.credit_limit, c.reserved, c.paid, c.version, c.created_at, \
         coalesce(n.order_count, 0) as order_count \
         from customer_view as c left join customer_order_count as n on n.customer_id = c.customer_id \
         where c.customer_id in (select wanted.id from rows($1: id uuid) as wanted)")
    .column(ids)
}

pub(crate) fn orders_by_ids(ids: impl Iterator<Item = Uuid>) -> Statement {
    sql("select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.coordination, \
         o.saga_id, o.version, o.created_at, o.updated_at \
         from order_view as o left join customer_view as c on c.customer_id = o.customer_id \
         where o.order_id in (select wanted.id from rows($1: id uuid) as wanted)")
    .column(ids)
}

/// Customers whose name contains `q`.
pub(crate) fn customers(q: Option<&str>, after: Place, limit: i64) -> Statement {
    sql("select c.customer_id, c.name, c.credit_limit, c.reserved, c.paid, c.version, c.created_at, \
         coalesce(n.order_count, 0) as order_count \
         from customer_view as c left join customer_order_count as n on n.customer_id = c.customer_id \
         where (c.created_at, c.customer_id) < ($1, $2) and ($3 is null or instr(c.name_folded, $3) > 0) \
         order by c.created_at desc, c.customer_id desc limit $4")
    .bind(after.created_at)
    .bind(after.id)
    .bind(q.map(str::to_lowercase))
    .bind(limit)
}

/// What a list of orders is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderFilter {
    pub(crate) state: Option<OrderState>,
    pub(crate) customer_id: Option<CustomerId>,
    /// Part of the customer's name, or the start of the order's id.
    pub(crate) q: Option<String>,
}

/// Orders that pass a filter. One text per index that leads: SQLite does not plan around optional conditions.
pub(crate) fn orders(filter: &OrderFilter, after: Place, limit: i64) -> Statement {
    let leading = match (filter.customer_id, filter.state) {
        (Some(customer), _) => sql(
            "select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.coordination, \
             o.saga_id, o.version, o.created_at, o.updated_at \
             from order_view as o left join customer_view as c on c.customer_id = o.customer_id \
             where o.customer_id = $1 and (o.created_at, o.order_id) < ($2, $3) and ($4 is null or o.state = $4) \
             and ($5 is null or instr(c.name_folded, $5) > 0 or instr(lower(hex(o.order_id)), $6) = 1) \
             order by o.created_at desc, o.order_id desc limit $7",
        )
        .bind(customer.0),
        (None, Some(state)) => sql(
            "select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.coordination, \
             o.saga_id, o.version, o.created_at, o.updated_at \
             from order_view as o left join customer_view as c on c.customer_id = o.customer_id \
             where o.state = $1 and (o.created_at, o.order_id) < ($2, $3) and ($4 is null or o.state = $4) \
             and ($5 is null or instr(c.name_folded, $5) > 0 or instr(lower(hex(o.order_id)), $6) = 1) \
             order by o.created_at desc, o.order_id desc limit $7",
        )
        .bind(state.as_str()),
        (None, None) => sql(
            "select o.order_id, o.customer_id, c.name as customer_name, o.total, o.state, o.rejection_reason, o.coordination, \
             o.saga_id, o.version, o.created_at, o.updated_at \
             from order_view as o left join customer_view as c on c.customer_id = o.customer_id \
             where $1 is null and (o.created_at, o.order_id) < ($2, $3) and ($4 is null or o.state = $4) \
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
