//! Keeps the view in Redis up to date: a batch of events is one run of one script, and so is the move of its offsets.
//!
//! Messages that cannot be handled are parked in the service's database, since they must outlive Redis. The message is
//! parked first and the offset moves then, so that a death in between parks it again and never loses it.

use super::{
    RedisView,
    fields::{corrupt, list, text},
    keys,
};
use crate::{
    GROUP,
    feed::ENTRIES_MAX,
    heal::{self, Aggregate, Jump},
    projection::{Changes, project},
    store::ViewError,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tramline_contract::{CustomerId, OrderId, RejectionReason};
use tramline_db::{BoxFuture, Db, DbError, sql};
use tramline_messaging::{Effects, HandlerError, Messaging, Move, Record, StreamId, Unhandled};
use tramline_redis::{Command, Value};
use uuid::Uuid;

/// Applies events to a generation of the view in Redis.
#[derive(Debug)]
pub struct RedisProjector {
    view: RedisView,
    messaging: Messaging,
    /// Names the database that gives out the epochs.
    home: String,
    target: Target,
    /// The generation in which the offsets are that the consumer knows.
    claimed: Mutex<String>,
}

/// Which generation is written.
#[derive(Clone, Debug)]
enum Target {
    /// The one that is read, whichever it is.
    Current,
    /// One that is built, and no other.
    Building(String),
}

impl Target {
    const fn status(&self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Building(_) => "building",
        }
    }
}

impl RedisProjector {
    pub(crate) fn current(view: RedisView, messaging: Messaging, home: Uuid) -> Self {
        let home = home.simple().to_string();
        Self { view, messaging, home, target: Target::Current, claimed: Mutex::default() }
    }

    pub(super) fn building(view: RedisView, messaging: Messaging, home: Uuid, generation: String) -> Self {
        let home = home.simple().to_string();
        Self { view, messaging, home, target: Target::Building(generation), claimed: Mutex::default() }
    }

    pub(super) const fn view(&self) -> &RedisView {
        &self.view
    }

    pub(crate) const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    fn claimed(&self) -> MutexGuard<'_, String> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn claim(&self, streams: &[(StreamId, i64)]) -> Result<Vec<(StreamId, i64)>, ViewError> {
        let proposed = match &self.target {
            Target::Current => self.messaging.db().new_id().simple().to_string(),
            Target::Building(generation) => generation.clone(),
        };
        let mut arguments = super::words([self.target.status(), &proposed, &self.home]);
        for (stream, epoch) in streams {
            arguments.extend([keys::stream(stream), epoch.to_string()].map(String::into_bytes));
        }
        let mut answer = list(self.view.run(&self.view.scripts.claim, arguments).await?)?.into_iter();
        let generation = answer.next().map(text).transpose()?.unwrap_or_default();
        if generation == proposed && matches!(self.target, Target::Current) {
            tracing::info!(generation, "the view in Redis begins anew");
        }
        *self.claimed() = generation;
        let mut claimed = Vec::with_capacity(streams.len());
        for ((stream, epoch), offset) in streams.iter().zip(answer) {
            match text(offset)?.parse() {
                Ok(offset) => claimed.push((stream.clone(), offset)),
                Err(_) => tracing::warn!(stream = %stream, epoch, "the stream has a newer owner in Redis"),
            }
        }
        Ok(claimed)
    }

    /// Changes the view and moves offsets, or does nothing. Returns what the view has missed.
    pub(crate) async fn change(&self, moves: &[Move], changes: &Changes) -> Result<Vec<Jump>, HandlerError> {
        let generation = self.claimed().clone();
        self.change_in(&generation, moves, changes).await
    }

    /// As [`Self::change`], in a generation that need not be the consumer's.
    pub(super) async fn change_in(
        &self,
        generation: &str,
        moves: &[Move],
        changes: &Changes,
    ) -> Result<Vec<Jump>, HandlerError> {
        let mut arguments = super::words([self.target.status(), generation, &ENTRIES_MAX.to_string()]);
        append_moves(&mut arguments, moves);
        append_customers(&mut arguments, changes);
        append_orders(&mut arguments, changes);
        match self.view.run(&self.view.scripts.apply, arguments).await? {
            Value::Int(_) => Err(HandlerError::Moved),
            passed => {
                let known = passed_over(passed)?;
                // Whatever is not named was followed by the very next version.
                Ok(changes.jumps(|aggregate| Some(known.get(&aggregate).copied().unwrap_or(i64::MAX))))
            }
        }
    }

    /// Marks what was missed, and says so. The view and its marks are no one step: whoever dies between them forgets that something
    /// was missed, of a document that the later event has made whole.
    pub(super) async fn mark(&self, jumps: Vec<Jump>) {
        if jumps.is_empty() {
            return;
        }
        heal::tell(GROUP, &jumps);
        if let Err(error) = heal::put_alone(self.messaging.db(), jumps).await {
            tracing::error!(error = ?error, "what the view has missed could not be noted");
        }
    }

    /// Whether the offset stands where the move begins, and is still this owner's.
    async fn stands_at(&self, step: &Move) -> Result<bool, ViewError> {
        let mut command = Command::new();
        let offsets = self.view.keys.of(&self.claimed(), "offsets");
        command.arg("HGET").arg(offsets).arg(keys::stream(&step.stream));
        let known = self.view.command(command).await?;
        Ok(text(known).is_ok_and(|known| known == format!("{} {}", step.from, step.epoch)))
    }
}

impl Effects for RedisProjector {
    type Effect = ();

    fn claim<'a>(
        &'a self,
        streams: &'a [(StreamId, i64)],
    ) -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>> {
        Box::pin(async move { Ok(self.claim(streams).await?) })
    }

    fn apply<'a>(&'a self, moves: &'a [Move], batch: &'a [Arc<Record>]) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            self.mark(self.change(moves, &project(batch)?).await?).await;
            Ok(())
        })
    }

    fn park<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            // What another owner works on is not ours to park.
            if !self.stands_at(step).await? {
                return Err(HandlerError::Moved);
            }
            self.messaging.park(GROUP, &step.stream, message).await?;
            self.change(std::slice::from_ref(step), &Changes::default()).await.map(drop)
        })
    }

    fn park_behind<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<bool, HandlerError>> {
        Box::pin(async move {
            if !self.stands_at(step).await? {
                return Err(HandlerError::Moved);
            }
            if !self.messaging.park_behind(GROUP, &step.stream, message).await? {
                return Ok(false);
            }
            self.change(std::slice::from_ref(step), &Changes::default()).await?;
            Ok(true)
        })
    }

    fn may_forget(&self) -> bool {
        true
    }

    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>> {
        Box::pin(async move { Ok(self.messaging.parked_keys(GROUP).await?) })
    }

    fn committed(&self, (): ()) {}
}

/// The versions that were known of documents of which others than the next came.
fn passed_over(answer: Value) -> Result<HashMap<Aggregate, i64>, ViewError> {
    let mut items = list(answer)?.into_iter();
    let mut known = HashMap::new();
    while let (Some(kind), Some(id), Some(version)) = (items.next(), items.next(), items.next()) {
        let id = Uuid::try_parse(&text(id)?).map_err(|error| corrupt(error.to_string()))?;
        let aggregate = match text(kind)?.as_str() {
            "customer" => Aggregate::Customer(CustomerId(id)),
            _ => Aggregate::Order(OrderId(id)),
        };
        known.insert(aggregate, text(version)?.parse().map_err(|_| corrupt("a version is no number"))?);
    }
    Ok(known)
}

fn append_moves(arguments: &mut Vec<Vec<u8>>, moves: &[Move]) {
    append(arguments, [moves.len().to_string()]);
    for Move { stream, from, to, epoch } in moves {
        append(arguments, [keys::stream(stream), from.to_string(), to.to_string(), epoch.to_string()]);
    }
}

fn append_customers(arguments: &mut Vec<Vec<u8>>, changes: &Changes) {
    append(arguments, [changes.customers.len().to_string()]);
    for (id, (version, customer)) in &changes.customers {
        let row = [
            id.0.simple().to_string(),
            version.to_string(),
            customer.name.clone(),
            customer.name.to_lowercase(),
            customer.credit_limit.minor().to_string(),
            customer.reserved.minor().to_string(),
            customer.paid.minor().to_string(),
            customer.created_at_micros.to_string(),
        ];
        append(arguments, row);
    }
}

fn append_orders(arguments: &mut Vec<Vec<u8>>, changes: &Changes) {
    append(arguments, [changes.orders.len().to_string()]);
    let mut orders: Vec<_> = changes.orders.iter().collect();
    // The feed tells them in the order in which they changed.
    orders.sort_by_key(|(id, (_, order))| (order.updated_at_micros, id.0));
    for (id, (version, order)) in orders {
        let row = [
            id.0.simple().to_string(),
            version.to_string(),
            order.customer_id.0.simple().to_string(),
            order.total.minor().to_string(),
            order.state.as_str().to_owned(),
            order.rejection_reason.map_or("", RejectionReason::as_str).to_owned(),
            order.last_refusal.map_or("", RejectionReason::as_str).to_owned(),
            order.coordination.as_str().to_owned(),
            order.saga_id.map(|id| id.0.simple().to_string()).unwrap_or_default(),
            order.created_at_micros.to_string(),
            order.updated_at_micros.to_string(),
        ];
        append(arguments, row);
    }
}

fn append<const N: usize>(arguments: &mut Vec<Vec<u8>>, words: [String; N]) {
    arguments.extend(words.map(String::into_bytes));
}

/// The name of this database, made when it is asked for the first time.
pub(crate) async fn home(db: &Db) -> Result<Uuid, DbError> {
    let proposed = db.new_id();
    let found = db.write::<Option<(Uuid,)>, DbError, _>(move |tx| {
        Box::pin(async move {
            tx.execute(
                sql("insert into view_home (id, home) values (1, $1) on conflict (id) do nothing").bind(proposed),
            )
            .await?;
            tx.optional(sql("select home from view_home where id = 1")).await
        })
    });
    found.await?.map(|(home,)| home).ok_or_else(|| DbError::corrupt("the name of the database", "there is none"))
}
