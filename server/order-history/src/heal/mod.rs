//! How a view that has missed an event comes right by itself: the aggregate is marked, read from the service that owns it, and
//! applied by its version.
//!
//! The consumer only marks, in the transaction of the batch, and never waits for an owner. It must not know what is shown: an
//! owner's answer is applied as a change like any other, in whichever store the view lies.

mod jump;
mod marks;

pub use jump::{Aggregate, Jump};
pub(crate) use jump::{jump, needs};
pub(crate) use marks::{MARKS, put, put_alone};

use crate::{
    GROUP, History, Search,
    projection::Changes,
    projector::Projector,
    search::{self, SEARCH_GROUP, SearchProjector},
    store::Target,
};
use marks::Mark;
use serde::de::DeserializeOwned;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tramline_contract::{CustomerId, OrderId};
use tramline_db::DbError;
use tramline_http::{CallError, ServiceClient};
use tramline_messages::{
    channels::{CUSTOMER_EVENTS, ORDER_EVENTS},
    export::Exported,
};
use tramline_messaging::{Effects as _, HandlerError, Messaging, ParkedMessage, Transactional};

/// Between two looks for what is due. A document is behind its owner for no longer than that and a call.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Aggregates per look: what an owner is asked for at most every second by one process of the view.
const AT_ONCE: i64 = 32;
/// An owner that has not answered by then is asked again later.
const CALL_MAX: Duration = Duration::from_secs(2);
/// The wait after the first try, doubled with each further one up to the longest.
const WAIT_MICROS: i64 = 5_000_000;
const WAIT_MAX_MICROS: i64 = 60_000_000;

/// Where the services are that own what a view shows. Without an address, marks stay until there is one.
#[derive(Clone, Default)]
pub struct Owners {
    /// The customers service.
    pub customers: Option<ServiceClient>,
    /// The orders service.
    pub orders: Option<ServiceClient>,
}

/// Reads from their owners what one view has missed.
pub struct Healer {
    messaging: Messaging,
    owners: Owners,
    view: View,
}

enum View {
    History(Projector),
    Search(Transactional<SearchProjector>),
}

/// What an owner says.
enum Truth {
    Is(i64, Changes),
    /// It has none of that id.
    Nothing,
}

impl Healer {
    /// Heals the first view.
    #[must_use]
    pub fn of_view(history: &History, owners: Owners) -> Self {
        Self { messaging: history.messaging().clone(), owners, view: View::History(history.projector()) }
    }

    /// Heals the search view.
    #[must_use]
    pub fn of_search(search: &Search, owners: Owners) -> Self {
        let messaging = search.messaging().clone();
        let effects = Transactional::new(SEARCH_GROUP, messaging.clone(), Arc::new(SearchProjector));
        Self { messaging, owners, view: View::Search(effects) }
    }

    /// Looks for what is due, again and again until it is told to stop. Any number of processes may do so at once.
    pub async fn run(self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.heal()).await {
                tracing::warn!(error = ?error, "what the view has missed could not be looked for");
            }
        }
    }

    /// Heals what is due now, a bounded number of aggregates, and returns how many came right. What its owner does not tell is due
    /// again later.
    ///
    /// # Errors
    /// When the view's database fails.
    pub async fn heal(&self) -> Result<usize, DbError> {
        let (db, group) = (self.messaging.db(), self.group());
        let now = db.now().0;
        let marked = marks::take(db, now, AT_ONCE, |attempts| now.saturating_add(wait_micros(attempts))).await?;
        let (mut healed, mut away) = (0, [false; 2]);
        for mark in marked {
            let owner = usize::from(matches!(mark.aggregate, Aggregate::Order(_)));
            if away[owner] {
                continue;
            }
            match self.heal_one(mark).await {
                Ok(()) => healed += 1,
                Err(error) => {
                    tracing::warn!(group, aggregate = %mark.aggregate, error = %error, "what the view has missed stays so for now");
                    // Its other aggregates would each wait as long.
                    away[owner] = true;
                }
            }
        }
        let left = marks::count(db).await?;
        metrics::gauge!("tramline_view_unhealed", "group" => group).set(left as f64);
        if left >= marks::MARKS_MAX {
            tracing::error!(group, left, "the view has missed more than it can note; rebuild it");
        }
        Ok(healed)
    }

    async fn heal_one(&self, mark: Mark) -> Result<(), HealError> {
        let group = self.group();
        match self.truth(mark.aggregate).await? {
            Truth::Is(version, changes) => {
                self.apply(changes, mark).await?;
                if version < mark.wanted {
                    tracing::warn!(aggregate = %mark.aggregate, version, heard = mark.wanted, "the owner has less than its events say");
                }
                tracing::info!(group, aggregate = %mark.aggregate, version, "the view was healed from the owner");
                metrics::counter!("tramline_view_healed_total", "group" => group).increment(1);
            }
            Truth::Nothing => {
                tracing::warn!(group, aggregate = %mark.aggregate, "an event speaks of what its owner does not have");
                marks::settle_alone(self.messaging.db(), mark).await?;
            }
        }
        Ok(())
    }

    async fn truth(&self, aggregate: Aggregate) -> Result<Truth, HealError> {
        match aggregate {
            Aggregate::Customer(CustomerId(id)) => {
                read(self.owners.customers.as_ref(), id, Changes::of_customers).await
            }
            Aggregate::Order(OrderId(id)) => read(self.owners.orders.as_ref(), id, Changes::of_orders).await,
        }
    }

    /// Applies what the owner says, and removes the mark: in tables together, and in Redis the view first, which bears repetition.
    async fn apply(&self, changes: Changes, mark: Mark) -> Result<(), HandlerError> {
        match &self.view {
            View::History(projector) => {
                projector.heal(changes, move |tx| Box::pin(async move { Ok(marks::settle(tx, mark).await?) })).await
            }
            View::Search(effects) => {
                let applied = effects.apply_with(None, &[], move |work| {
                    Box::pin(async move {
                        let told = search::apply(work.tx, Target::Current, changes).await?;
                        marks::settle(work.tx, mark).await?;
                        Ok(told)
                    })
                });
                effects.committed(applied.await?);
                Ok(())
            }
        }
    }

    const fn group(&self) -> &'static str {
        match self.view {
            View::History(_) => GROUP,
            View::Search(_) => SEARCH_GROUP,
        }
    }
}

/// Why an aggregate was not healed now.
#[derive(Debug, thiserror::Error)]
enum HealError {
    #[error("nobody has said where its owner is")]
    NoAddress,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] HandlerError),
}

impl From<DbError> for HealError {
    fn from(error: DbError) -> Self {
        Self::Store(error.into())
    }
}

async fn read<S: DeserializeOwned>(
    owner: Option<&ServiceClient>,
    id: uuid::Uuid,
    changes: impl Fn(Vec<Exported<S>>) -> Changes,
) -> Result<Truth, HealError> {
    let owner = owner.ok_or(HealError::NoAddress)?;
    let answer = owner.get(&format!("/export/{id}")).within(CALL_MAX).send().await?;
    if answer.status == 404 {
        return Ok(Truth::Nothing);
    }
    let item: Exported<S> = answer.granted()?.json()?;
    Ok(Truth::Is(item.version, changes(vec![item])))
}

/// How long after a try the next one follows, when so many came before it.
fn wait_micros(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(0, 10)).unwrap_or(0);
    WAIT_MICROS.saturating_mul(1 << doublings).min(WAIT_MAX_MICROS)
}

/// Says that a view has missed something. To be called once the marks stand.
pub(crate) fn tell(group: &'static str, jumps: &[Jump]) {
    for Jump { aggregate, from, to } in jumps {
        tracing::warn!(group, %aggregate, from, to, "the view has missed an event");
        metrics::counter!("tramline_view_jumps_total", "group" => group).increment(1);
    }
}

/// What an event that an operator has skipped would have told of. No later event need come, so this is the moment to ask the owner.
pub(crate) fn unheard(message: &ParkedMessage) -> Option<Jump> {
    let headers = &message.record.headers;
    let (id, to) = (headers.aggregate_id?, headers.aggregate_version?);
    let aggregate = match message.channel.as_str() {
        CUSTOMER_EVENTS => Aggregate::Customer(CustomerId(id)),
        ORDER_EVENTS => Aggregate::Order(OrderId(id)),
        _ => return None,
    };
    Some(Jump { aggregate, from: to - 1, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest() {
        let waits: Vec<_> = (0..6).map(wait_micros).collect();
        assert_eq!(waits, [5_000_000, 10_000_000, 20_000_000, 40_000_000, 60_000_000, 60_000_000]);
        assert_eq!(wait_micros(i64::MAX), WAIT_MAX_MICROS);
        // Nobody else takes a mark while its owner is being asked, and at most one owner of each kind is waited for.
        assert!(i128::from(WAIT_MICROS) > 2 * i128::try_from(CALL_MAX.as_micros()).expect("it is short"));
    }
}
