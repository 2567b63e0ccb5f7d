//! Consumer groups under simulation: real effects in real transactions, with a witness, and the flaws that may be planted there.

use crate::{Flaw, Stage};
use std::sync::Arc;
use tramline_db::{BoxFuture, Migration, sql, values};
use tramline_messaging::{
    Channel, Effects, Handler, HandlerError, Messaging, Move, Record, StreamId, Transactional, Unhandled, UnitOfWork,
};
use uuid::Uuid;

/// Where each effect testifies, in its own transaction, that it happened. SQLite alone reads this.
pub(crate) const WITNESS: &[Migration] = &[Migration {
    version: 999,
    description: "simulator: effects as they happened",
    sql: "
create table simulated_effect (
    place integer primary key,
    consumer_group text not null,
    message_id uuid not null,
    seq bigint not null
);
",
}];

/// A consumer group of a simulated world.
#[derive(Clone)]
pub struct Group {
    pub(crate) name: &'static str,
    pub(crate) messaging: Messaging,
    pub(crate) channels: Vec<(&'static str, Channel)>,
    pub(crate) effects: Arc<dyn Effects<Effect = ()>>,
}

impl Group {
    /// A group that reads these channels, each with its source, and brings what they carry to `handler` in units of work
    /// of `messaging`.
    #[must_use]
    pub fn new<H: Handler<Effect = ()>>(
        stage: &Stage,
        name: &'static str,
        messaging: &Messaging,
        channels: &[(&'static str, Channel)],
        handler: H,
    ) -> Self {
        let handler = Arc::new(Witnessed { group: name, handler });
        let inner = Transactional::new(name, messaging.clone(), Arc::clone(&handler));
        let offsets = Transactional::new(name, messaging.clone(), Arc::new(Nothing));
        let effects: Arc<dyn Effects<Effect = ()>> = if stage.has(Flaw::OffsetAfterEffects) {
            Arc::new(Apart { messaging: messaging.clone(), handler, offsets, offsets_first: false })
        } else if stage.has(Flaw::OffsetBeforeEffects) {
            Arc::new(Apart { messaging: messaging.clone(), handler, offsets, offsets_first: true })
        } else if stage.has(Flaw::OffsetIgnoresEpochs) {
            Arc::new(Epochless { group: name, messaging: messaging.clone(), inner })
        } else {
            Arc::new(inner)
        };
        Self { name, messaging: messaging.clone(), channels: channels.to_vec(), effects }
    }
}

/// Writes down each message beside what it brought about.
struct Witnessed<H> {
    group: &'static str,
    handler: H,
}

impl<H: Handler<Effect = ()>> Handler for Witnessed<H> {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            self.handler.handle(work, batch).await?;
            let testimony = sql("insert into simulated_effect (consumer_group, message_id, seq) \
                 select $2, new.id, new.seq from rows($1: id uuid, seq bigint) as new")
            .rows(batch.iter().map(|record| values![record.id, record.seq]))
            .bind(self.group);
            work.tx.execute(testimony).await?;
            Ok(())
        })
    }

    fn committed(&self, (): ()) {
        self.handler.committed(());
    }
}

/// Has no effects, so that only the offset moves.
struct Nothing;

impl Handler for Nothing {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        _: &'a mut UnitOfWork<'_>,
        _: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn committed(&self, (): ()) {}
}

/// Flaw: the effects in one transaction and the offset in another.
struct Apart<H> {
    messaging: Messaging,
    handler: Arc<Witnessed<H>>,
    offsets: Transactional<Nothing>,
    offsets_first: bool,
}

impl<H: Handler<Effect = ()>> Apart<H> {
    async fn effects(&self, batch: &[Arc<Record>]) -> Result<(), HandlerError> {
        let (handler, batch) = (Arc::clone(&self.handler), batch.to_vec());
        let done =
            self.messaging.transact(None, move |work| Box::pin(async move { handler.handle(work, &batch).await }));
        done.await
    }
}

impl<H: Handler<Effect = ()>> Effects for Apart<H> {
    type Effect = ();

    fn claim<'a>(
        &'a self,
        streams: &'a [(StreamId, i64)],
    ) -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>> {
        self.offsets.claim(streams)
    }

    fn apply<'a>(&'a self, moves: &'a [Move], batch: &'a [Arc<Record>]) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            if self.offsets_first {
                self.offsets.apply(moves, batch).await?;
                return self.effects(batch).await;
            }
            self.effects(batch).await?;
            self.offsets.apply(moves, batch).await
        })
    }

    fn park<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>> {
        self.offsets.park(step, message)
    }

    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>> {
        self.offsets.parked_keys()
    }

    fn committed(&self, (): ()) {}
}

/// Flaw: the offset moves for whoever comes, however old the lease.
struct Epochless<H> {
    group: &'static str,
    messaging: Messaging,
    inner: Transactional<H>,
}

impl<H: Handler<Effect = ()>> Effects for Epochless<H> {
    type Effect = ();

    fn claim<'a>(
        &'a self,
        streams: &'a [(StreamId, i64)],
    ) -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>> {
        self.inner.claim(streams)
    }

    fn apply<'a>(&'a self, moves: &'a [Move], batch: &'a [Arc<Record>]) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let newest = newest_epoch(&self.messaging, self.group).await?;
            let moves: Vec<Move> = moves.iter().map(|one| Move { epoch: newest, ..one.clone() }).collect();
            self.inner.apply(&moves, batch).await
        })
    }

    fn park<'a>(&'a self, step: &'a Move, message: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>> {
        self.inner.park(step, message)
    }

    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>> {
        self.inner.parked_keys()
    }

    fn committed(&self, (): ()) {}
}

/// The newest owner that claimed a group's offsets.
pub(crate) async fn newest_epoch(messaging: &Messaging, group: &str) -> Result<i64, HandlerError> {
    let rows: Vec<(Option<i64>,)> =
        messaging.db().all(sql("select max(epoch) from consumer_offset where consumer_group = $1").bind(group)).await?;
    Ok(rows.first().and_then(|(epoch,)| *epoch).unwrap_or(0))
}
