//! Waits until every order is decided, and counts how.

use super::{progress, wire::Wire};
use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::{collections::BTreeMap, time::Duration};
use tramline_contract::{Order, OrderId, RejectionReason};

/// Orders asked for at once.
const LANES: usize = 8;
/// Orders are decided within milliseconds; one that takes so long is stuck.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at an order that a saga holds; the first look already waits for the view.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits for all of them. Returns how many ended in which way.
pub(super) async fn settle(wire: &Wire, orders: &[OrderId]) -> anyhow::Result<BTreeMap<String, u64>> {
    let bar = progress::bar("awaiting outcomes", orders.len());
    let mut ends = stream::iter(orders).map(|id| settled(wire, *id)).buffer_unordered(LANES);
    let mut outcomes = BTreeMap::new();
    while let Some(order) = ends.try_next().await? {
        bar.inc(1);
        *outcomes.entry(outcome(&order)).or_default() += 1;
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

/// Waits for one of them.
pub(super) async fn settled(wire: &Wire, id: OrderId) -> anyhow::Result<Order> {
    tokio::time::timeout(SETTLED_WITHIN, look(wire, id))
        .await
        .with_context(|| format!("order {id} is not decided; is the server in trouble? see its /api/sagas"))?
}

async fn look(wire: &Wire, id: OrderId) -> anyhow::Result<Order> {
    loop {
        // The second version is the decision: the server waits for it before it answers.
        let order: Option<Order> = wire.read(&format!("/api/orders/{id}?minVersion=2")).await?;
        if let Some(order) = order.filter(|order| order.state.is_settled()) {
            return Ok(order);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn outcome(order: &Order) -> String {
    let reason = order.rejection_reason.map(RejectionReason::as_str);
    [Some(order.state.as_str()), reason].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
