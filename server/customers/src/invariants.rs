//! What must be true of this service's database at any moment. Read-only.

use crate::account::{Account, AccountEvent};
use std::collections::HashMap;
use tramline_contract::{CustomerId, Money, OrderId};
use tramline_db::{Db, DbError, sql};
use tramline_eventsourcing::Aggregate as _;
use uuid::Uuid;

/// The truth of one customer, replayed from its events alone.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The account.
    pub account: Account,
    /// The events replayed.
    pub version: i64,
    /// The credit held per order.
    pub reservations: HashMap<OrderId, Money>,
}

/// Replays every customer and compares with the reservations. Returns the truth and what is wrong with it.
///
/// # Errors
/// When the database fails.
pub async fn replay(db: &Db) -> Result<(HashMap<CustomerId, Replayed>, Vec<String>), DbError> {
    let mut wrong = Vec::new();
    let mut customers: HashMap<CustomerId, Replayed> = HashMap::new();
    let mut after = (Uuid::nil(), 0_i64);
    loop {
        let rows: Vec<(Uuid, i64, String)> = db
            .all(
                sql("select aggregate_id, version, payload from event \
                     where aggregate_kind = 'Customer' and (aggregate_id, version) > ($1, $2) \
                     order by aggregate_id, version limit 5000")
                .bind(after.0)
                .bind(after.1),
            )
            .await?;
        let Some(last) = rows.last() else { break };
        after = (last.0, last.1);
        for (id, version, payload) in rows {
            let event: AccountEvent =
                serde_json::from_str(&payload).map_err(|error| DbError::corrupt("an event", error))?;
            let replayed = customers.entry(CustomerId(id)).or_insert_with(|| Replayed {
                account: Account::default(),
                version: 0,
                reservations: HashMap::new(),
            });
            step(CustomerId(id), replayed, version, &event, &mut wrong);
        }
    }
    compare_reservations(db, &customers, &mut wrong).await?;
    Ok((customers, wrong))
}

fn step(id: CustomerId, replayed: &mut Replayed, version: i64, event: &AccountEvent, wrong: &mut Vec<String>) {
    if version != replayed.version + 1 {
        wrong.push(format!("customer {id}: version {version} follows {}", replayed.version));
    }
    replayed.version = version;
    if let AccountEvent::CreditReserved { order_id, amount } = event {
        if *amount > replayed.account.available_credit() {
            wrong.push(format!("customer {id}: order {order_id} was approved beyond the credit available"));
        }
        if replayed.reservations.insert(*order_id, *amount).is_some() {
            wrong.push(format!("customer {id}: credit was reserved twice for order {order_id}"));
        }
    }
    replayed.account.apply(event);
}

async fn compare_reservations(
    db: &Db,
    customers: &HashMap<CustomerId, Replayed>,
    wrong: &mut Vec<String>,
) -> Result<(), DbError> {
    let rows: Vec<(Uuid, Uuid, i64)> =
        db.all(sql("select order_id, customer_id, amount from credit_reservation where outcome = 'RESERVED'")).await?;
    let mut held: HashMap<CustomerId, (usize, i64)> = HashMap::new();
    for (order, customer, amount) in rows {
        let sum = held.entry(CustomerId(customer)).or_default();
        *sum = (sum.0 + 1, sum.1 + amount);
        let known =
            customers.get(&CustomerId(customer)).and_then(|replayed| replayed.reservations.get(&OrderId(order)));
        if known.map(|money| money.minor()) != Some(amount) {
            wrong.push(format!("customer {customer}: the reservation of order {order} has no event"));
        }
    }
    for (id, replayed) in customers {
        let (count, sum) = held.get(id).copied().unwrap_or_default();
        if count != replayed.reservations.len() || sum != replayed.account.reserved.minor() {
            wrong.push(format!(
                "customer {id}: {count} reservations of {sum} do not make {}",
                replayed.account.reserved
            ));
        }
    }
    Ok(())
}
