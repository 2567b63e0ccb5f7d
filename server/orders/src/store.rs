//! Orders in the database, and their events in its outbox.

use crate::order::Order;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason, SagaId, Version};
use tramline_db::{Db, DbError, Tx, UtcMicros, sql};
use tramline_messages::{
    channels::ORDER_EVENTS,
    orders::{OrderChanged, OrderEvent, OrderSnapshot},
    services::ORDERS,
};
use tramline_messaging::{Headers, UnitOfWork};
use tramline_sagas::choreography::Told;
use uuid::Uuid;

tramline_db::record! {
    /// An order without its id.
    pub(crate) struct Row {
        pub(crate) customer_id: Uuid,
        pub(crate) total: i64,
        pub(crate) state: String,
        pub(crate) rejection_reason: Option<String>,
        pub(crate) last_refusal: Option<String>,
        pub(crate) coordination: String,
        pub(crate) saga_id: Option<Uuid>,
        pub(crate) version: i64,
        pub(crate) created_at: i64,
        pub(crate) updated_at: i64,
    }
}

tramline_db::record! {
    /// What an order was placed with, to recognise a repeated request.
    pub(crate) struct Placed {
        pub(crate) customer_id: Uuid,
        pub(crate) placed_total: i64,
        pub(crate) placed_saga_id: Uuid,
        pub(crate) coordination: String,
    }
}

pub(crate) async fn placed(tx: &mut Tx, id: OrderId) -> Result<Option<Placed>, DbError> {
    tx.optional(
        sql("select customer_id, placed_total, placed_saga_id, coordination from customer_order where order_id = $1")
            .bind(id.0),
    )
    .await
}

pub(crate) async fn load(tx: &mut Tx, id: OrderId) -> Result<Option<Order>, DbError> {
    let row: Option<Row> = tx
        .optional(
            sql("select customer_id, total, state, rejection_reason, last_refusal, coordination, saga_id, version, \
                 created_at, updated_at from customer_order where order_id = $1")
            .bind(id.0),
        )
        .await?;
    row.map(|row| row.into_order(id)).transpose()
}

/// As [`load`], and keeps others from changing the row until the unit of work ends. It writes nothing: a lock of one text for
/// both databases.
pub(crate) async fn load_locked(tx: &mut Tx, id: OrderId) -> Result<Option<Order>, DbError> {
    let row: Option<Row> = tx
        .optional(
            sql("update customer_order set version = version where order_id = $1 \
                 returning customer_id, total, state, rejection_reason, last_refusal, coordination, saga_id, version, \
                 created_at, updated_at")
            .bind(id.0),
        )
        .await?;
    row.map(|row| row.into_order(id)).transpose()
}

impl Row {
    pub(crate) fn into_order(self, id: OrderId) -> Result<Order, DbError> {
        Ok(Order {
            id,
            customer_id: CustomerId(self.customer_id),
            total: Money::from_minor(self.total),
            state: OrderState::parse(&self.state).ok_or_else(|| DbError::corrupt("an order's state", self.state))?,
            rejection_reason: self.rejection_reason.as_deref().and_then(RejectionReason::parse),
            last_refusal: self.last_refusal.as_deref().and_then(RejectionReason::parse),
            coordination: Coordination::parse(&self.coordination)
                .ok_or_else(|| DbError::corrupt("an order's coordination", self.coordination))?,
            saga_id: self.saga_id.map(SagaId),
            version: Version(self.version),
            created_at: UtcMicros(self.created_at),
            updated_at: UtcMicros(self.updated_at),
        })
    }
}

/// Writes a new order and sends what happened, which it returns. `None` means that the id is taken, and nothing has changed.
pub(crate) async fn insert(
    work: &mut UnitOfWork<'_>,
    order: &Order,
    event: OrderEvent,
) -> Result<Option<Told>, DbError> {
    let inserted = work.tx.execute(
        sql("insert into customer_order (order_id, customer_id, total, placed_total, placed_saga_id, state, coordination, \
             saga_id, version, created_at, updated_at) values ($1, $2, $3, $3, $4, $5, $6, $4, $7, $8, $8) \
             on conflict (order_id) do nothing")
        .bind(order.id.0)
        .bind(order.customer_id.0)
        .bind(order.total.minor())
        .bind(order.saga_id.map(|id| id.0))
        .bind(order.state.as_str())
        .bind(order.coordination.as_str())
        .bind(order.version.0)
        .bind(order.created_at),
    );
    if inserted.await? == 0 {
        return Ok(None);
    }
    publish(work, order, event).map(Some)
}

/// Writes a changed order and sends what happened, which it returns. `None` means that somebody changed it meanwhile.
pub(crate) async fn update(
    work: &mut UnitOfWork<'_>,
    order: &Order,
    event: OrderEvent,
) -> Result<Option<Told>, DbError> {
    let updated = work.tx.execute(
        sql("update customer_order set total = $2, state = $3, rejection_reason = $4, saga_id = $5, version = $6, updated_at = $7, \
             last_refusal = $8 where order_id = $1 and version = $6 - 1")
        .bind(order.id.0)
        .bind(order.total.minor())
        .bind(order.state.as_str())
        .bind(order.rejection_reason.map(RejectionReason::as_str))
        .bind(order.saga_id.map(|id| id.0))
        .bind(order.version.0)
        .bind(order.updated_at)
        .bind(order.last_refusal.map(RejectionReason::as_str)),
    );
    if updated.await? == 0 {
        return Ok(None);
    }
    publish(work, order, event).map(Some)
}

/// The event of a saga that nobody leads names it, since others act upon it, and is keyed by the customer: whoever decides on
/// credit then hears of a customer's orders in the order in which they were accepted. An order's events stay in order either
/// way, since neither its customer nor its coordination ever changes.
fn publish(work: &mut UnitOfWork<'_>, order: &Order, event: OrderEvent) -> Result<Told, DbError> {
    let (saga_type, key) = match order.coordination {
        Coordination::Orchestration => (None, order.id.0),
        Coordination::Choreography => (Some(event.saga().to_owned()), order.customer_id.0),
    };
    let headers = Headers {
        saga_type,
        kind: event.kind().to_owned(),
        saga_id: order.saga_id.map(|id| id.0),
        aggregate_id: Some(order.id.0),
        aggregate_version: Some(order.version.0),
        ..Headers::default()
    };
    let after = snapshot(order);
    let payload =
        serde_json::to_string(&OrderChanged { event, after }).map_err(|error| DbError::corrupt("an event", error))?;
    let message_id = work.send(ORDER_EVENTS, key, headers.clone(), payload.clone());
    Ok(Told { by: ORDERS.to_owned(), channel: ORDER_EVENTS.to_owned(), message_id, headers, payload })
}

/// An order as events carry it.
pub(crate) fn snapshot(order: &Order) -> OrderSnapshot {
    OrderSnapshot {
        customer_id: order.customer_id,
        total: order.total,
        state: order.state,
        rejection_reason: order.rejection_reason,
        last_refusal: order.last_refusal,
        coordination: order.coordination,
        saga_id: order.saga_id,
        created_at_micros: order.created_at.0,
        updated_at_micros: order.updated_at.0,
    }
}

tramline_db::record! {
    struct Listed {
        order_id: Uuid,
        customer_id: Uuid,
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

/// Orders in the order of their ids, after one.
pub(crate) async fn page(db: &Db, after: Uuid, limit: i64) -> Result<Vec<Order>, DbError> {
    let rows: Vec<Listed> = db
        .all(
            sql("select order_id, customer_id, total, state, rejection_reason, last_refusal, coordination, saga_id, version, created_at, updated_at \
                 from customer_order where order_id > $1 order by order_id limit $2")
            .bind(after)
            .bind(limit),
        )
        .await?;
    rows.into_iter().map(Listed::into_order).collect()
}

/// One order, outside of any unit of work.
pub(crate) async fn find(db: &Db, id: OrderId) -> Result<Option<Order>, DbError> {
    let row: Option<Listed> = db
        .optional(
            sql("select order_id, customer_id, total, state, rejection_reason, last_refusal, coordination, saga_id, version, created_at, updated_at \
                 from customer_order where order_id = $1")
            .bind(id.0),
        )
        .await?;
    row.map(Listed::into_order).transpose()
}

impl Listed {
    fn into_order(self) -> Result<Order, DbError> {
        let Self {
            order_id,
            customer_id,
            total,
            state,
            rejection_reason,
            last_refusal,
            coordination,
            saga_id,
            version,
            created_at,
            updated_at,
        } = self;
        let row = Row {
            customer_id,
            total,
            state,
            rejection_reason,
            last_refusal,
            coordination,
            saga_id,
            version,
            created_at,
            updated_at,
        };
        row.into_order(OrderId(order_id))
    }
}
