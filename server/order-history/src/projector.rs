//! Keeps the view up to date, in whichever store it lies.

use crate::{
    projection::Changes,
    store::{
        redis::RedisProjector,
        sql::{self, Effect, SqlProjector},
    },
};
use std::sync::Arc;
use tramline_db::{BoxFuture, DbError, Tx};
use tramline_messaging::{
    DryRun, Effects, HandlerError, Move, ParkedMessage, Record, Replay, ReplayFailure, Replayed, StreamId,
    Transactional, Turn, Unhandled, UnitOfWork,
};
use uuid::Uuid;

/// What the consumer of the events hands them to.
pub struct Projector {
    store: Store,
}

enum Store {
    Sql(Transactional<SqlProjector>),
    Redis(RedisProjector),
}

/// What is left to tell once a batch stands.
#[derive(Debug)]
pub struct Told(Option<Effect>);

impl Projector {
    pub(crate) const fn sql(effects: Transactional<SqlProjector>) -> Self {
        Self { store: Store::Sql(effects) }
    }

    pub(crate) const fn redis(effects: RedisProjector) -> Self {
        Self { store: Store::Redis(effects) }
    }

    /// Applies what an owner says to the view that is read now, whichever process keeps its offsets, and then does `settle`: in
    /// tables in the same transaction.
    pub(crate) async fn heal<F>(&self, changes: Changes, settle: F) -> Result<(), HandlerError>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<(), HandlerError>> + Send + 'static,
    {
        match &self.store {
            Store::Sql(effects) => {
                let applied = effects.apply_with(None, &[], move |work| {
                    Box::pin(async move {
                        let effect = sql::apply(work, changes).await?;
                        settle(work.tx).await?;
                        Ok(effect)
                    })
                });
                effects.committed(applied.await?);
                Ok(())
            }
            Store::Redis(effects) => {
                effects.apply_to_current(&changes).await?;
                effects.messaging().db().write(settle).await
            }
        }
    }
}

impl Effects for Projector {
    type Effect = Told;

    fn claim<'a>(
        &'a self,
        streams: &'a [(StreamId, i64)],
    ) -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>> {
        match &self.store {
            Store::Sql(effects) => effects.claim(streams),
            Store::Redis(effects) => Effects::claim(effects, streams),
        }
    }

    fn apply<'a>(&'a self, moves: &'a [Move], batch: &'a [Arc<Record>]) -> BoxFuture<'a, Result<Told, HandlerError>> {
        Box::pin(async move {
            match &self.store {
                Store::Sql(effects) => Ok(Told(Some(effects.apply(moves, batch).await?))),
                Store::Redis(effects) => effects.apply(moves, batch).await.map(|()| Told(None)),
            }
        })
    }

    fn park<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>> {
        match &self.store {
            Store::Sql(effects) => effects.park(step, message),
            Store::Redis(effects) => effects.park(step, message),
        }
    }

    fn park_behind<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<bool, HandlerError>> {
        match &self.store {
            Store::Sql(effects) => effects.park_behind(step, message),
            Store::Redis(effects) => effects.park_behind(step, message),
        }
    }

    fn may_forget(&self) -> bool {
        match &self.store {
            Store::Sql(effects) => effects.may_forget(),
            Store::Redis(effects) => effects.may_forget(),
        }
    }

    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>> {
        match &self.store {
            Store::Sql(effects) => effects.parked_keys(),
            Store::Redis(effects) => effects.parked_keys(),
        }
    }

    fn committed(&self, Told(effect): Told) {
        // The feed of a view in Redis is in Redis, and told already.
        if let (Store::Sql(effects), Some(effect)) = (&self.store, effect) {
            effects.committed(effect);
        }
    }
}

impl Replay for Projector {
    fn replay<'a>(&'a self, turn: Turn) -> BoxFuture<'a, Result<Option<Replayed>, ReplayFailure>> {
        match &self.store {
            Store::Sql(effects) => effects.replay(turn),
            Store::Redis(effects) => effects.replay(turn),
        }
    }

    fn dry_run<'a>(&'a self, record: &'a Arc<Record>) -> BoxFuture<'a, Result<DryRun, HandlerError>> {
        match &self.store {
            Store::Sql(effects) => effects.dry_run(record),
            Store::Redis(effects) => effects.dry_run(record),
        }
    }

    fn skipped<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        match &self.store {
            Store::Sql(effects) => effects.skipped(work, message),
            Store::Redis(effects) => effects.skipped(work, message),
        }
    }
}
