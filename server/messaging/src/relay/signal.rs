//! How whoever commits tells the relay, and hands it what was committed.

use crate::{Batch, Record, StreamId, relay::by_stream};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// Rows handed over that wait for the relay; beyond it they are read from the table instead.
const HANDED_MAX: usize = 4_096;

/// Publishes on the spot; gives back whether the table must be read.
type Direct = Arc<dyn Fn(Vec<Batch>) -> bool + Send + Sync>;

/// Hands committed rows to the relay.
#[derive(Default)]
pub(crate) struct RelaySignal {
    handed: Mutex<Handed>,
    news: Arc<Notify>,
    direct: Mutex<Option<Direct>>,
    /// The relay gets the rows elsewhere.
    unheard: AtomicBool,
}

#[derive(Debug, Default)]
pub(crate) struct Handed {
    pub(crate) records: Vec<(StreamId, Arc<Record>)>,
    /// Some rows were not handed over: the table must be read.
    pub(crate) overflowed: bool,
}

impl std::fmt::Debug for RelaySignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelaySignal").field("handed", &self.handed).finish_non_exhaustive()
    }
}

impl RelaySignal {
    pub(crate) fn raise(&self, records: Vec<(StreamId, Arc<Record>)>) {
        if records.is_empty() || self.unheard.load(Ordering::Relaxed) {
            return;
        }
        let direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(direct) = direct {
            if direct(by_stream(records)) {
                self.look_at_the_table();
            }
            return;
        }
        let mut handed = self.lock();
        if handed.records.len() + records.len() > HANDED_MAX {
            handed.overflowed = true;
        } else {
            handed.records.extend(records);
        }
        drop(handed);
        self.news.notify_one();
    }

    /// Has rows published by whoever commits them, as the newest relay does it.
    pub(crate) fn publish_directly(&self, direct: Direct) {
        *self.direct.lock().unwrap_or_else(PoisonError::into_inner) = Some(direct);
    }

    /// Whether anybody listens to what is raised.
    pub(crate) fn listen(&self, listen: bool) {
        self.unheard.store(!listen, Ordering::Relaxed);
    }

    pub(crate) fn look_at_the_table(&self) {
        self.lock().overflowed = true;
        self.news.notify_one();
    }

    pub(crate) const fn news(&self) -> &Arc<Notify> {
        &self.news
    }

    pub(crate) fn take(&self) -> Handed {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
