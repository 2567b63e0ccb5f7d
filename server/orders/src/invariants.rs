//! What must be true of this service's database. Read-only.

use tramline_contract::{CustomerId, Money, OrderId, OrderState, Version};
use tramline_db::{Db, DbError, sql};
use uuid::Uuid;

/// An order as the truth has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Where it stands.
    pub state: OrderState,
    /// The events so far.
    pub version: Version,
}

/// Every order, and what is wrong with them and their sagas.
///
/// # Errors
/// When the database fails.
pub async fn read(db: &Db) -> Result<(Vec<(OrderId, Truth)>, Vec<String>), DbError> {
    let rows: Vec<(Uuid, Uuid, i64, String, i64)> =
        db.all(sql("select order_id, customer_id, total, state, version from customer_order")).await?;
    let mut orders = Vec::with_capacity(rows.len());
    for (id, customer, total, state, version) in rows {
        let state = OrderState::parse(&state).ok_or_else(|| DbError::corrupt("an order's state", state))?;
        let truth = Truth {
            customer_id: CustomerId(customer),
            total: Money::from_minor(total),
            state,
            version: Version(version),
        };
        orders.push((OrderId(id), truth));
    }
    let mut wrong = Vec::new();
    wrong.extend(unended(db).await?);
    wrong.extend(sagas_against_orders(db).await?);
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

/// A completed saga leaves its order approved, one that was rolled back leaves it rejected.
async fn sagas_against_orders(db: &Db) -> Result<Vec<String>, DbError> {
    let rows: Vec<(Uuid, String, Option<String>)> = db
        .all(sql("select s.saga_id, s.phase, o.state from saga_instance as s \
             left join customer_order as o on o.order_id = s.aggregate_id \
             where s.saga_type = 'CreateOrder' and s.ended_at is not null and not coalesce( \
             (s.phase = 'COMPLETED' and o.state <> 'REJECTED' and o.state <> 'PENDING') \
             or (s.phase = 'ROLLED_BACK' and o.state = 'REJECTED'), false) limit 20"))
        .await?;
    Ok(rows.into_iter().map(|(id, phase, state)| format!("saga {id} is {phase} but its order is {state:?}")).collect())
}
