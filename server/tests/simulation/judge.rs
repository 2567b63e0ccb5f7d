//! What must be true of the desk at any moment, and what once everything has come to rest.

use crate::cached::Cached;
use std::{collections::HashMap, sync::Arc};
use tramline_contract::{CustomerId, OrderId, OrderState};
use tramline_customers::invariants::Replayed;
use tramline_db::{Db, DbError, sql};
use tramline_orders::invariants::Truth;
use tramline_simulator::Wrongs;
use uuid::Uuid;

/// The orders as their service has them.
pub type Truths = Vec<(OrderId, Truth)>;
/// The customers as their events have them.
pub type Accounts = HashMap<CustomerId, Replayed>;

/// The state by which sagas are counted.
pub const SAGA_ENDED: &str = "a saga came to its end";

/// What was read last of either service: the truth, and what it finds wrong with itself.
#[derive(Default)]
pub struct Judge {
    orders: Cached<(Truths, Vec<String>)>,
    customers: Cached<(Accounts, Vec<String>)>,
}

impl Judge {
    /// The orders, and what is wrong with them and their sagas.
    pub async fn truths(&self, orders: &Db) -> Result<Arc<(Truths, Vec<String>)>, DbError> {
        self.orders.get(orders, read_orders(orders)).await
    }

    /// The customers, and what is wrong with them.
    pub async fn accounts(&self, customers: &Db) -> Result<Arc<(Accounts, Vec<String>)>, DbError> {
        self.customers.get(customers, tramline_customers::invariants::replay(customers)).await
    }

    /// What each service says of itself, and both together.
    pub async fn always(&self, orders: &Db, customers: &Db) -> Wrongs {
        let (accounts, truths) = (self.accounts(customers).await?, self.truths(orders).await?);
        let mut wrong = accounts.1.clone();
        // Sagas may be under way now.
        let is_under_way = |line: &str| line.starts_with("saga ") && line.contains(" is still ");
        wrong.extend(truths.1.iter().filter(|line| !is_under_way(line)).cloned());
        wrong.extend(reservations(&truths.0, &accounts.0));
        Ok(wrong)
    }

    /// Nothing is under way any more.
    pub async fn at_rest(&self, orders: &Db, customers: &Db) -> Wrongs {
        let mut wrong = self.truths(orders).await?.1.clone();
        wrong.extend(self.always(orders, customers).await?);
        Ok(wrong)
    }
}

async fn read_orders(db: &Db) -> Result<(Truths, Vec<String>), DbError> {
    let (truths, mut wrong) = tramline_orders::invariants::read(db).await?;
    let parked: Vec<(Uuid, String)> =
        db.all(sql("select saga_id, saga_type from saga_instance where phase = 'PARKED'")).await?;
    wrong.extend(parked.into_iter().map(|(id, kind)| format!("the saga {kind} {id} is parked")));
    Ok((truths, wrong))
}

/// Credit is held for exactly the orders that no saga holds and that are approved, at exactly their totals.
fn reservations(truths: &Truths, accounts: &Accounts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, order) in truths {
        let held = accounts.get(&order.customer_id).and_then(|account| account.reservations.get(id));
        let right = match order.state {
            OrderState::Approved => held == Some(&order.total),
            OrderState::Rejected | OrderState::Cancelled => held.is_none(),
            OrderState::Pending => held.is_none_or(|held| *held == order.total),
            OrderState::CancelPending => held.is_none_or(|held| *held == order.total),
            OrderState::RevisionPending => {
                held.is_some_and(|held| *held == order.total || Some(*held) == order.proposed)
            }
        };
        if !right {
            wrong.push(format!("order {id} over {} is {:?}, and {held:?} is held for it", order.total, order.state));
        }
    }
    wrong
}

/// How many revisions of each order have come to their end.
pub async fn revisions(orders: &Db) -> Result<HashMap<OrderId, usize>, DbError> {
    let ended: Vec<(Uuid,)> = orders
        .all(sql("select aggregate_id from saga_instance where saga_type = 'ReviseOrder' and ended_at is not null"))
        .await?;
    let mut counts = HashMap::new();
    for (order,) in ended {
        *counts.entry(OrderId(order)).or_default() += 1;
    }
    Ok(counts)
}

/// The states that the orders and their sagas have reached.
pub async fn reached(orders: &Db) -> Result<Vec<&'static str>, DbError> {
    let mut reached = Vec::new();
    let states: Vec<(String, Option<String>)> =
        orders.all(sql("select state, rejection_reason from customer_order")).await?;
    for (state, reason) in states {
        reached.push(match (state.as_str(), reason.as_deref()) {
            ("APPROVED", _) => "an order was approved",
            ("CANCELLED", _) => "an order was cancelled",
            (_, Some("UNKNOWN_CUSTOMER")) => "an order of an unknown customer was rejected",
            _ => "an order was refused for want of credit",
        });
    }
    let sagas: Vec<(String, String, i64)> =
        orders.all(sql("select saga_type, phase, choreographed from saga_instance where ended_at is not null")).await?;
    for (kind, phase, choreographed) in sagas {
        reached.push(SAGA_ENDED);
        if choreographed == 1 {
            reached.push(match (kind.as_str(), phase.as_str()) {
                ("CreateOrder", "COMPLETED") => "a choreographed order was approved",
                ("CreateOrder", _) => "a choreographed order was rejected",
                ("CancelOrder", _) => "a choreographed order was cancelled",
                (_, "COMPLETED") => "a choreographed order was revised",
                _ => "a revision of a choreographed order was refused",
            });
        }
        match (kind.as_str(), phase.as_str()) {
            ("ReviseOrder", "COMPLETED") => reached.push("an order was revised"),
            ("ReviseOrder", _) => reached.push("a revision was refused"),
            _ => {}
        }
    }
    let odd: Vec<(String,)> =
        orders.all(sql("select distinct kind from saga_log where kind in ('late-reply', 'repetition')")).await?;
    reached.extend(odd.iter().map(|(kind,)| match kind.as_str() {
        "late-reply" => "a reply came that no saga awaited",
        _ => "a conversation heard an event again",
    }));
    Ok(reached)
}
