//! A second generation of the search view, built while the first one is read.

use super::{SEARCH_GROUP, Search, SearchProjector, projector::apply};
use crate::{
    projection::Changes,
    store::{Generations, Swap, Target},
};
use std::sync::Arc;
use tramline_db::DbError;
use tramline_messaging::{Effects as _, HandlerError, Messaging, Move, StreamId, Transactional};

const BUILDER: &str = "search-building";
const DROPS: &[&str] = &["delete from search_document where generation = $1 and (kind, id) in \
    (select kind, id from search_document where generation = $1 limit 500)"];

/// A generation of the search view that is built.
pub struct SearchRebuild {
    generations: Generations,
    generation: i64,
    effects: Transactional<SearchProjector>,
}

pub(super) const fn generations(messaging: Messaging) -> Generations {
    Generations { messaging, group: SEARCH_GROUP, builder: BUILDER, drops: DROPS }
}

impl SearchRebuild {
    /// Begins a new generation. One that was being built is given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(search: &Search) -> Result<Self, DbError> {
        let messaging = search.messaging.clone();
        let generations = generations(messaging.clone());
        let generation = generations.begin().await?;
        let effects = Transactional::new(BUILDER, messaging, Arc::new(SearchProjector::building(generation)));
        Ok(Self { generations, generation, effects })
    }

    /// Takes these streams, each from its beginning.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, streams: &[(StreamId, i64)]) -> Result<(), HandlerError> {
        self.effects.claim(streams).await.map(drop)
    }

    /// Applies changes and moves offsets.
    ///
    /// # Errors
    /// [`HandlerError::Moved`] when it is not built any more; otherwise when the database fails.
    pub async fn put(&self, moves: &[Move], changes: Changes) -> Result<(), HandlerError> {
        let target = Target::Building(self.generation);
        self.effects
            .apply_with(None, moves, move |work| Box::pin(async move { apply(work.tx, target, changes).await }))
            .await
    }

    /// Puts it in place of the one that is read, unless that one shows more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn swap(&self) -> Result<Swap, DbError> {
        self.generations.swap(self.generation).await
    }
}

impl Search {
    /// Drops the generations that were replaced or given up, a little at a time, and returns how many documents went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<u64, DbError> {
        generations(self.messaging.clone()).sweep().await
    }
}
