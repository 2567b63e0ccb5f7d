//! What must be true of this service's database. Read-only.

use crate::revise_order::ReviseOrderData;
use std::collections::HashMap;
use tramline_contract::{CustomerId, Money, OrderId, OrderState, RejectionReason, Version};
use tramline_db::{Db, DbError, sql};
use tramline_messages::orders::{OrderChanged, OrderEvent};
use uuid::Uuid;

/// An order as the truth has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// What it shall cost, while a revision is under way.
    pub proposed: Option<Money>,
    /// Where it stands.
    pub state: OrderState,
    /// Why the last revision was refused.
    pub last_refusal: Option<RejectionReason>,
    /// The events so far.
    pub version: Version,
}

/// Every order, and what is wrong with them and their sagas.
///
/// # Errors
/// When the database fails.
pub async fn read(db: &Db) -> Result<(Vec<(OrderId, Truth)>, Vec<String>), DbError> {
    // First what is proposed: a revision that begins after this look has an order that is read below as locked, and is looked
    // at again then.
    let proposed = proposed(db).await?;
    let rows: Vec<(Uuid, Uuid, i64, String, Option<String>, i64)> =
        db.all(sql("select order_id, customer_id, total, state, last_refusal, version from customer_order")).await?;
    let mut orders = Vec::with_capacity(rows.len());
    for (id, customer, total, state, last_refusal, version) in rows {
        let state = OrderState::parse(&state).ok_or_else(|| DbError::corrupt("an order's state", state))?;
        let truth = Truth {
            customer_id: CustomerId(customer),
            total: Money::from_minor(total),
            proposed: proposed.get(&id).copied().filter(|_| state == OrderState::RevisionPending),
            state,
            last_refusal: last_refusal.as_deref().and_then(RejectionReason::parse),
            version: Version(version),
        };
        orders.push((OrderId(id), truth));
    }
    let mut wrong = Vec::new();
    wrong.extend(unended(db).await?);
    wrong.extend(sagas_against_orders(db).await?);
    wrong.extend(locks(db).await?);
    Ok((orders, wrong))
}

/// Sagas that have neither ended nor are parked: none, once it is calm.
async fn unended(db: &Db) -> Result<Vec<String>, DbError> {
    let rows: Vec<(Uuid, String)> = db
        .all(sql("select saga_id, phase from saga_instance \
             where ended_at is null and phase <> 'PARKED' order by started_at limit 20"))
        .await?;
    Ok(rows.into_iter().map(|(id, phase)| format!("saga {id} is still {phase}")).collect())
}

/// What each order is to cost whose revision is under way: a saga that is led knows it, and of one that nobody leads the event
/// that began it.
async fn proposed(db: &Db) -> Result<HashMap<Uuid, Money>, DbError> {
    let led: Vec<(Uuid, String)> = db
        .all(sql("select aggregate_id, data from saga_instance \
             where saga_type = 'ReviseOrder' and ended_at is null and choreographed = 0"))
        .await?;
    let begun: Vec<(Uuid, String)> = db
        .all(sql("select s.aggregate_id, l.payload from saga_instance as s \
             join saga_log as l on l.saga_id = s.saga_id and l.entry_no = 1 \
             where s.saga_type = 'ReviseOrder' and s.ended_at is null and s.choreographed = 1"))
        .await?;
    let mut proposed = HashMap::new();
    for (order, data) in led {
        let data: ReviseOrderData =
            serde_json::from_str(&data).map_err(|error| DbError::corrupt("a saga's data", error))?;
        proposed.insert(order, data.total);
    }
    for (order, payload) in begun {
        let begun: OrderChanged =
            serde_json::from_str(&payload).map_err(|error| DbError::corrupt("an event of a saga", error))?;
        if let OrderEvent::OrderRevisionBegun { total } = begun.event {
            proposed.insert(order, total);
        }
    }
    Ok(proposed)
}

/// A locked order is held by a saga that is under way, and that saga's kind is the lock's.
async fn locks(db: &Db) -> Result<Vec<String>, DbError> {
    let rows: Vec<(Uuid, String, Option<Uuid>)> = db
        .all(sql("select o.order_id, o.state, o.saga_id from customer_order as o \
             left join saga_instance as s on s.saga_id = o.saga_id and s.ended_at is null \
             where o.state in ('PENDING', 'CANCEL_PENDING', 'REVISION_PENDING') and not coalesce( \
             (o.state = 'PENDING' and s.saga_type = 'CreateOrder') \
             or (o.state = 'CANCEL_PENDING' and s.saga_type = 'CancelOrder') \
             or (o.state = 'REVISION_PENDING' and s.saga_type = 'ReviseOrder'), false) limit 20"))
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, state, saga)| format!("order {id} is {state}, but saga {saga:?} does not hold it"))
        .collect())
}

/// What a saga that has ended leaves behind. One that created an order: approved or, rolled back, rejected. One that
/// cancelled it: cancelled for good. One that was the last to touch an order has let it go.
async fn sagas_against_orders(db: &Db) -> Result<Vec<String>, DbError> {
    let rows: Vec<(Uuid, String, Option<String>)> = db
        .all(sql("select s.saga_id, s.phase, o.state from saga_instance as s \
             left join customer_order as o on o.order_id = s.aggregate_id \
             where s.ended_at is not null and not coalesce( \
             (s.saga_type = 'CreateOrder' and s.phase = 'COMPLETED' and o.state <> 'REJECTED' and o.state <> 'PENDING') \
             or (s.saga_type = 'CreateOrder' and s.phase = 'ROLLED_BACK' and o.state = 'REJECTED') \
             or (s.saga_type = 'CancelOrder' and s.phase = 'COMPLETED' and o.state = 'CANCELLED') \
             or (s.saga_type <> 'CreateOrder' and (s.saga_type = 'ReviseOrder' or s.phase = 'ROLLED_BACK') \
             and (o.saga_id <> s.saga_id or o.state = 'APPROVED')), false) limit 20"))
        .await?;
    Ok(rows.into_iter().map(|(id, phase, state)| format!("saga {id} is {phase} but its order is {state:?}")).collect())
}
