//! A view built anew beside the one that is read, in whichever store it lies, and then put in its place in one step.
//!
//! It is told events and documents and knows not where they come from.

use crate::{
    History, Search,
    projection::{Changes, project},
    search::{self, SEARCH_GROUP},
    store::{
        Generations, Swap, Target, ViewError, ViewStore,
        redis::{self, RedisProjector},
        sql::write,
    },
};
use std::sync::Arc;
use tramline_db::{BoxFuture, Tx};
use tramline_messaging::{
    Effects, Handler, HandlerError, Messaging, Move, Record, StreamId, Transactional, UnitOfWork,
};

/// The offsets of a generation that is built.
const VIEW_BUILDER: &str = "order-history-building";
const SEARCH_BUILDER: &str = "search-building";
/// Rows of a generation are dropped so many at a time: a short transaction each.
const VIEW_DROPS: &[&str] = &[
    "delete from order_view where generation = $1 and order_id in \
     (select order_id from order_view where generation = $1 limit 500)",
    "delete from customer_view where generation = $1 and customer_id in \
     (select customer_id from customer_view where generation = $1 limit 500)",
    "delete from customer_order_count where generation = $1 and customer_id in \
     (select customer_id from customer_order_count where generation = $1 limit 500)",
];
const SEARCH_DROPS: &[&str] = &["delete from search_document where generation = $1 and (kind, id) in \
    (select kind, id from search_document where generation = $1 limit 500)"];

/// A generation of a view that is built. One is built at a time: beginning another gives this one up. One that nobody
/// finishes is given up by the next.
pub struct ViewRebuild {
    store: Store,
}

enum Store {
    Tables { generations: Box<Generations>, effects: Box<Transactional<Writer>>, writer: Writer },
    Redis { rebuild: Box<redis::Rebuild>, projector: Box<RedisProjector> },
}

/// Whose tables.
#[derive(Clone, Copy, Debug)]
enum Tables {
    View,
    Search,
}

#[derive(Clone, Copy, Debug)]
struct Writer {
    tables: Tables,
    generation: i64,
}

impl ViewRebuild {
    /// Begins a new generation of the first view.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of_view(history: &History) -> Result<Self, ViewError> {
        match history.store() {
            ViewStore::Sql(_) => {
                let generations = view_generations(history.messaging().clone());
                Self::in_tables(generations, Tables::View).await
            }
            ViewStore::Redis(view) => {
                let rebuild = redis::Rebuild::begin(view.clone(), history.messaging().clone()).await?;
                let projector = Box::new(rebuild.projector());
                Ok(Self { store: Store::Redis { rebuild: Box::new(rebuild), projector } })
            }
        }
    }

    /// Begins a new generation of the search view.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_search(search: &Search) -> Result<Self, ViewError> {
        Self::in_tables(search_generations(search.messaging().clone()), Tables::Search).await
    }

    async fn in_tables(generations: Generations, tables: Tables) -> Result<Self, ViewError> {
        let writer = Writer { tables, generation: generations.begin().await? };
        let effects = Transactional::new(generations.builder, generations.messaging.clone(), Arc::new(writer));
        let (generations, effects) = (Box::new(generations), Box::new(effects));
        Ok(Self { store: Store::Tables { generations, effects, writer } })
    }

    /// Takes these streams, each from its beginning.
    ///
    /// # Errors
    /// [`HandlerError::Moved`] when it is not built any more; otherwise when the store fails.
    pub async fn claim(&self, streams: &[StreamId]) -> Result<(), HandlerError> {
        let streams: Vec<_> = streams.iter().map(|stream| (stream.clone(), 0)).collect();
        let claimed = match &self.store {
            Store::Tables { effects, .. } => effects.claim(&streams).await?,
            Store::Redis { projector, .. } => Effects::claim(&**projector, &streams).await?,
        };
        if claimed.len() == streams.len() { Ok(()) } else { Err(HandlerError::Moved) }
    }

    /// Applies events that follow each other in one stream. One that does not read fails, and with it the building: the view
    /// that is read has it parked, and so it must be mended first.
    ///
    /// # Errors
    /// [`HandlerError::Moved`] when it is not built any more; otherwise when an event does not read or the store fails.
    pub async fn replay(&self, stream: &StreamId, records: &[Arc<Record>]) -> Result<(), HandlerError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let step = Move { stream: stream.clone(), from: first.seq - 1, to: last.seq, epoch: 0 };
        self.load(&[step], project(records)?).await
    }

    /// Applies changes and moves offsets.
    ///
    /// # Errors
    /// As [`ViewRebuild::replay`].
    pub async fn load(&self, moves: &[Move], changes: Changes) -> Result<(), HandlerError> {
        match &self.store {
            Store::Tables { effects, writer, .. } => {
                let writer = *writer;
                let written = effects
                    .apply_with(None, moves, move |work| Box::pin(async move { writer.write(work.tx, changes).await }));
                written.await
            }
            Store::Redis { projector, .. } => projector.change(moves, &changes).await.map(drop),
        }
    }

    /// Puts the generation in place of the one that is read, unless that one shows more. Readers see the new one from the next
    /// request on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn swap(&self) -> Result<Swap, ViewError> {
        match &self.store {
            Store::Tables { generations, writer, .. } => Ok(generations.swap(writer.generation).await?),
            Store::Redis { rebuild, .. } => rebuild.swap().await,
        }
    }
}

impl Writer {
    async fn write(self, tx: &mut Tx, changes: Changes) -> Result<(), HandlerError> {
        let target = Target::Building(self.generation);
        match self.tables {
            Tables::View => write::apply(tx, target, changes).await.map(drop),
            Tables::Search => search::apply(tx, target, changes).await.map(drop),
        }
    }
}

impl Handler for Writer {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { self.write(work.tx, project(batch)?).await })
    }

    fn committed(&self, (): ()) {}
}

fn view_generations(messaging: Messaging) -> Generations {
    Generations { messaging, group: crate::GROUP, builder: VIEW_BUILDER, drops: VIEW_DROPS }
}

fn search_generations(messaging: Messaging) -> Generations {
    Generations { messaging, group: SEARCH_GROUP, builder: SEARCH_BUILDER, drops: SEARCH_DROPS }
}

/// Drops the generations of the first view that were replaced or given up, a little at a time, and returns how many rows
/// went. Any number may sweep at once.
///
/// # Errors
/// When the store fails.
pub async fn sweep_view(history: &History) -> Result<u64, ViewError> {
    match history.store() {
        ViewStore::Sql(_) => Ok(view_generations(history.messaging().clone()).sweep().await?),
        ViewStore::Redis(view) => view.sweep().await,
    }
}

/// As [`sweep_view`], of the search view.
///
/// # Errors
/// When the database fails.
pub async fn sweep_search(search: &Search) -> Result<u64, ViewError> {
    Ok(search_generations(search.messaging().clone()).sweep().await?)
}
