//! What must be true of this service's database at any moment. Read-only.

use crate::{account::Account, event::AccountEvent};
use std::collections::HashMap;
use tramline_contract::{CustomerId, Money, OrderId, PaymentId};
use tramline_db::{Db, DbError, sql};
use tramline_eventsourcing::Aggregate as _;
use uuid::Uuid;

/// The truth of one customer, replayed from its events alone.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// The account.
    pub account: Account,
    /// The events replayed.
    pub version: i64,
    /// The credit held per order, for those that hold any.
    pub reservations: HashMap<OrderId, Money>,
    /// The payments.
    pub payments: HashMap<PaymentId, Money>,
}

/// Replays every customer and compares with the reservations and the ledger. Returns the truth and what is wrong with it.
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
            let replayed = customers.entry(CustomerId(id)).or_default();
            let faults = replayed.step(version, &event);
            wrong.extend(faults.into_iter().map(|fault| format!("customer {id}: {fault}")));
        }
    }
    compare_reservations(db, &customers, &mut wrong).await?;
    compare_payments(db, &customers, &mut wrong).await?;
    Ok((customers, wrong))
}

impl Replayed {
    /// Takes the next event, and says what is wrong with it: credit is given within what is available, and what is given
    /// back or changed is exactly what is held.
    fn step(&mut self, version: i64, event: &AccountEvent) -> Vec<String> {
        let mut wrong = Vec::new();
        if version != self.version + 1 {
            wrong.push(format!("version {version} follows {}", self.version));
        }
        self.version = version;
        let available = self.account.available_credit();
        match event {
            AccountEvent::CreditReserved { order_id, amount } => {
                if *amount > available {
                    wrong.push(format!("order {order_id} was approved beyond the credit available"));
                }
                if self.reservations.insert(*order_id, *amount).is_some() {
                    wrong.push(format!("credit was reserved twice for order {order_id}"));
                }
            }
            AccountEvent::CreditReleased { order_id, amount } => {
                let held = self.reservations.remove(order_id);
                if held != Some(*amount) {
                    wrong.push(format!("{amount} was released for order {order_id}, which holds {held:?}"));
                }
            }
            AccountEvent::ReservationChanged { order_id, amount, previous } => {
                let held = self.reservations.insert(*order_id, *amount);
                if held != Some(*previous) {
                    wrong.push(format!("{previous} was changed for order {order_id}, which holds {held:?}"));
                }
                if amount.minor() - previous.minor() > available.minor().max(0) {
                    wrong.push(format!("order {order_id} was revised beyond the credit available"));
                }
            }
            AccountEvent::PaymentRecorded { payment_id, amount, .. } => {
                if self.payments.insert(*payment_id, *amount).is_some() {
                    wrong.push(format!("payment {payment_id} was recorded twice"));
                }
            }
            AccountEvent::CustomerCreated { .. }
            | AccountEvent::CreditRefused { .. }
            | AccountEvent::ReservationChangeRefused { .. }
            | AccountEvent::CreditLimitChanged { .. } => {}
        }
        self.account.apply(event);
        wrong
    }
}

/// The table of reservations holds what the events say, and the account their sum.
async fn compare_reservations(
    db: &Db,
    customers: &HashMap<CustomerId, Replayed>,
    wrong: &mut Vec<String>,
) -> Result<(), DbError> {
    let rows: Vec<(Uuid, Uuid, i64)> =
        db.all(sql("select order_id, customer_id, held from credit_reservation where held <> 0")).await?;
    let mut sums: HashMap<CustomerId, (usize, i64)> = HashMap::new();
    for (order, customer, held) in rows {
        let sum = sums.entry(CustomerId(customer)).or_default();
        *sum = (sum.0 + 1, sum.1 + held);
        let known =
            customers.get(&CustomerId(customer)).and_then(|replayed| replayed.reservations.get(&OrderId(order)));
        if known.map(|money| money.minor()) != Some(held) {
            wrong.push(format!("customer {customer}: the reservation of order {order} is not what its events say"));
        }
    }
    for (id, replayed) in customers {
        let (count, sum) = sums.get(id).copied().unwrap_or_default();
        if count != replayed.reservations.len() || sum != replayed.account.reserved.minor() {
            wrong.push(format!(
                "customer {id}: {count} reservations of {sum} do not make {}",
                replayed.account.reserved
            ));
        }
    }
    Ok(())
}

/// The ledger holds the payments of the events, and the account their sum.
async fn compare_payments(
    db: &Db,
    customers: &HashMap<CustomerId, Replayed>,
    wrong: &mut Vec<String>,
) -> Result<(), DbError> {
    let rows: Vec<(Uuid, Uuid, i64)> = db.all(sql("select payment_id, customer_id, amount from payment")).await?;
    let mut sums: HashMap<CustomerId, (usize, i64)> = HashMap::new();
    for (payment, customer, amount) in rows {
        let sum = sums.entry(CustomerId(customer)).or_default();
        *sum = (sum.0 + 1, sum.1 + amount);
        let known =
            customers.get(&CustomerId(customer)).and_then(|replayed| replayed.payments.get(&PaymentId(payment)));
        if known.map(|money| money.minor()) != Some(amount) {
            wrong.push(format!("customer {customer}: payment {payment} of the ledger is not what its event says"));
        }
    }
    for (id, replayed) in customers {
        let (count, sum) = sums.get(id).copied().unwrap_or_default();
        if count != replayed.payments.len() || sum != replayed.account.paid.minor() {
            wrong.push(format!("customer {id}: {count} payments of {sum} do not make {}", replayed.account.paid));
        }
    }
    Ok(())
}
