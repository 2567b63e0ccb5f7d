//! What must be true of the desk at any moment, and what once everything has come to rest.

use tramline_contract::OrderState;
use tramline_db::{Db, DbError, sql};
use tramline_simulator::Wrongs;
use uuid::Uuid;

/// The state by which sagas are counted.
pub const SAGA_ENDED: &str = "a saga came to its end";

/// What each service says of itself, and both together: credit is held for exactly the orders that no saga holds and that are
/// approved, at exactly their totals.
pub async fn always(orders: &Db, customers: &Db) -> Wrongs {
    let (accounts, mut wrong) = tramline_customers::invariants::replay(customers).await?;
    let (truth, of_orders) = tramline_orders::invariants::read(orders).await?;
    // Sagas may be under way now.
    wrong.extend(of_orders.into_iter().filter(|line| !(line.starts_with("saga ") && line.contains(" is still "))));
    for (id, order) in truth {
        let held = accounts.get(&order.customer_id).and_then(|account| account.reservations.get(&id));
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
    let parked: Vec<(Uuid, String)> =
        orders.all(sql("select saga_id, saga_type from saga_instance where phase = 'PARKED'")).await?;
    wrong.extend(parked.into_iter().map(|(id, kind)| format!("the saga {kind} {id} is parked")));
    Ok(wrong)
}

/// Nothing is under way any more.
pub async fn at_rest(orders: &Db, customers: &Db) -> Wrongs {
    let (_, mut wrong) = tramline_orders::invariants::read(orders).await?;
    wrong.extend(always(orders, customers).await?);
    Ok(wrong)
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
    let sagas: Vec<(String, String)> =
        orders.all(sql("select saga_type, phase from saga_instance where ended_at is not null")).await?;
    for (kind, phase) in sagas {
        reached.push(SAGA_ENDED);
        match (kind.as_str(), phase.as_str()) {
            ("ReviseOrder", "COMPLETED") => reached.push("an order was revised"),
            ("ReviseOrder", _) => reached.push("a revision was refused"),
            _ => {}
        }
    }
    let late: Vec<(i64,)> = orders.all(sql("select count(*) from saga_log where kind = 'late-reply'")).await?;
    if late.first().is_some_and(|(count,)| *count > 0) {
        reached.push("a reply came that no saga awaited");
    }
    Ok(reached)
}
