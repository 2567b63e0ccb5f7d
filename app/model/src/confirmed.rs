//! What the server has told us: one document per aggregate, never an older one over a newer, and what we know to be newer still.
//!
//! `have` is the version of the document that we hold, `known` the highest version that any reply, frame or read has named.
//! While `have < known` the document is *behind* and is read again, with growing pauses, until it has caught up.

use crate::{
    hash::IdMap,
    time::{Millis, earliest},
};
use std::{
    collections::{BTreeMap, VecDeque},
    hash::Hash,
};
use tramline_contract::{Customer, CustomerId, Order, OrderId, Version};

/// Pauses before the first and each later reading of a document that is behind; the last one repeats.
const REREAD_PAUSES_MS: [Millis; 6] = [200, 400, 800, 1_600, 3_000, 5_000];
/// A pending command expects its frame within this time; only then is its document read.
pub const FRAME_PATIENCE_MS: Millis = 2_000;
/// A document that is behind for less is not worth a word.
const BADGE_AFTER_MS: Millis = 300;
/// A document that is behind for longer needs the reader's attention.
const OLD_AFTER_MS: Millis = 10_000;
/// How many known versions outlive a reload. Bounded, because they are written on every change.
pub const REMEMBERED: usize = 256;
/// How many documents are read again at once. Bounded, so that a long list that is behind leaves room for other requests.
const REREADS_AT_ONCE: usize = 4;

/// A document of an aggregate.
pub trait Document {
    /// Names the aggregate.
    type Id: Copy + Eq + Ord + Hash;
    /// The aggregate's id.
    fn id(&self) -> Self::Id;
    /// The events that the document includes.
    fn version(&self) -> Version;
}

impl Document for Order {
    type Id = OrderId;
    fn id(&self) -> OrderId {
        self.id
    }
    fn version(&self) -> Version {
        self.version
    }
}

impl Document for Customer {
    type Id = CustomerId;
    fn id(&self) -> CustomerId {
        self.id
    }
    fn version(&self) -> Version {
        self.version
    }
}

/// A document that is older than what we know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Behind {
    since_ms: Millis,
    due_ms: Millis,
    attempt: usize,
    asked: bool,
}

/// How far a document is behind, as a row shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// The version shown.
    pub have: Version,
    /// The version that exists.
    pub known: Version,
    /// Whether it has been so for long.
    pub old: bool,
}

/// The documents of one kind.
#[derive(Clone, Debug)]
pub struct Confirmed<T: Document> {
    rows: IdMap<T::Id, T>,
    known: IdMap<T::Id, Version>,
    /// Whose `known` rose last; the newest at the back.
    recent: VecDeque<T::Id>,
    behind: BTreeMap<T::Id, Behind>,
}

impl<T: Document> Default for Confirmed<T> {
    fn default() -> Self {
        Self { rows: IdMap::default(), known: IdMap::default(), recent: VecDeque::new(), behind: BTreeMap::new() }
    }
}

impl<T: Document> Confirmed<T> {
    /// The document of an aggregate.
    #[must_use]
    pub fn get(&self, id: T::Id) -> Option<&T> {
        self.rows.get(&id)
    }

    /// Every document, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The version that we hold; 0 when we hold none.
    #[must_use]
    pub fn have(&self, id: T::Id) -> Version {
        self.rows.get(&id).map_or_else(Version::default, Document::version)
    }

    /// The highest version that we know of.
    #[must_use]
    pub fn known(&self, id: T::Id) -> Version {
        self.known.get(&id).copied().unwrap_or_default().max(self.have(id))
    }

    /// Takes note that a version exists, from a reply or a frame. When it is newer than ours, our document is read again, first after
    /// `patience_ms`.
    pub fn learn(&mut self, id: T::Id, version: Version, now_ms: Millis, patience_ms: Millis) {
        if version > self.known.get(&id).copied().unwrap_or_default() {
            self.known.insert(id, version);
            self.recent.retain(|other| *other != id);
            self.recent.push_back(id);
            if self.recent.len() > REMEMBERED {
                self.recent.pop_front();
            }
        }
        if self.have(id) < self.known(id) {
            let due_ms = now_ms + patience_ms;
            self.behind.entry(id).or_insert(Behind { since_ms: now_ms, due_ms, attempt: 0, asked: false });
        }
    }

    /// Takes a document from a frame or a read. Returns whether it was newer than ours, and the one that it replaced. Only what is
    /// learned outlives a reload: a long list's rows would push out what just happened.
    pub fn take(&mut self, document: T, now_ms: Millis) -> Option<Option<T>> {
        let (id, version) = (document.id(), document.version());
        if version <= self.have(id) {
            return None;
        }
        let replaced = self.rows.insert(id, document);
        if version >= self.known(id) {
            self.behind.remove(&id);
        } else {
            self.learn(id, version, now_ms, REREAD_PAUSES_MS[0]);
        }
        Some(replaced)
    }

    /// How far the document is behind, once that is worth a word.
    #[must_use]
    pub fn staleness(&self, id: T::Id, now_ms: Millis) -> Option<Staleness> {
        let behind = self.behind.get(&id)?;
        let waited_ms = now_ms.saturating_sub(behind.since_ms);
        let (have, known) = (self.have(id), self.known(id));
        (have > Version::default() && waited_ms >= BADGE_AFTER_MS).then_some(Staleness {
            have,
            known,
            old: waited_ms >= OLD_AFTER_MS,
        })
    }

    /// The documents to read again now, with the version that each read must have reached.
    #[must_use]
    pub fn due(&mut self, now_ms: Millis) -> Vec<(T::Id, Version)> {
        let under_way = self.behind.values().filter(|behind| behind.asked).count();
        let room = REREADS_AT_ONCE.saturating_sub(under_way);
        let ids: Vec<_> = self
            .behind
            .iter()
            .filter(|(_, behind)| !behind.asked && behind.due_ms <= now_ms)
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter()
            .take(room)
            .map(|id| {
                if let Some(behind) = self.behind.get_mut(&id) {
                    behind.asked = true;
                }
                (id, self.known(id))
            })
            .collect()
    }

    /// A read of one document has been answered, whatever the answer. If it is still behind, the next read is planned.
    pub fn read_ended(&mut self, id: T::Id, now_ms: Millis) {
        if let Some(behind) = self.behind.get_mut(&id) {
            behind.asked = false;
            behind.attempt = (behind.attempt + 1).min(REREAD_PAUSES_MS.len() - 1);
            behind.due_ms = now_ms + REREAD_PAUSES_MS[behind.attempt];
        }
    }

    /// Reads a document again at once that is behind.
    pub fn hurry(&mut self, id: T::Id, now_ms: Millis) {
        if let Some(behind) = self.behind.get_mut(&id) {
            behind.due_ms = now_ms;
        }
    }

    /// When something here is due.
    #[must_use]
    pub fn next_wake(&self, now_ms: Millis) -> Option<Millis> {
        let under_way = self.behind.values().filter(|behind| behind.asked).count();
        self.behind.values().fold(None, |wake, behind| {
            let reread = (!behind.asked && under_way < REREADS_AT_ONCE).then_some(behind.due_ms);
            let badges = [BADGE_AFTER_MS, OLD_AFTER_MS].map(|after_ms| behind.since_ms + after_ms);
            let badge = badges.into_iter().find(|due_ms| *due_ms > now_ms);
            earliest(wake, earliest(reread, badge))
        })
    }

    /// The versions to remember across a reload.
    #[must_use]
    pub fn remembered(&self) -> Vec<(T::Id, Version)> {
        self.recent.iter().map(|id| (*id, self.known(*id))).collect()
    }

    /// Restores remembered versions. They are not read again by themselves: only what is shown can be behind.
    pub fn remember(&mut self, versions: impl IntoIterator<Item = (T::Id, Version)>) {
        for (id, version) in versions.into_iter().take(REMEMBERED) {
            self.known.insert(id, version);
            self.recent.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Row(u8, i64);

    impl Document for Row {
        type Id = u8;
        fn id(&self) -> u8 {
            self.0
        }
        fn version(&self) -> Version {
            Version(self.1)
        }
    }

    #[test]
    fn a_read_that_is_behind_is_repeated_with_growing_pauses_until_it_caught_up() {
        let mut rows = Confirmed::default();
        rows.take(Row(1, 2), 0);
        rows.learn(1, Version(4), 0, 200);
        let mut asked_at = Vec::new();
        for now_ms in 0..8_000 {
            for (id, version) in rows.due(now_ms) {
                assert_eq!(version, Version(4));
                asked_at.push(now_ms);
                rows.read_ended(id, now_ms);
            }
        }
        assert_eq!(asked_at, [200, 600, 1_400, 3_000, 6_000]);
        assert!(rows.take(Row(1, 4), 8_000).is_some());
        assert_eq!((rows.due(60_000).len(), rows.next_wake(60_000)), (0, None));
    }

    #[test]
    fn the_badge_waits_a_moment_and_then_grows_louder() {
        let mut rows = Confirmed::default();
        rows.take(Row(1, 3), 0);
        rows.learn(1, Version(4), 1_000, 200);
        assert_eq!(rows.staleness(1, 1_299), None);
        let badge = Staleness { have: Version(3), known: Version(4), old: false };
        assert_eq!(rows.staleness(1, 1_300), Some(badge));
        assert_eq!(rows.staleness(1, 11_000), Some(Staleness { old: true, ..badge }));
    }

    #[test]
    fn a_version_known_before_a_reload_marks_an_older_read_as_behind() {
        let mut rows = Confirmed::default();
        rows.remember([(1, Version(5))]);
        assert_eq!(rows.next_wake(0), None, "nothing is shown yet");
        assert!(rows.take(Row(1, 4), 0).is_some(), "an older row is better than none");
        assert_eq!(rows.due(200), [(1, Version(5))]);
    }

    proptest! {
        /// Any order, any repetition: we hold the newest version that was offered, and what we know never shrinks.
        #[test]
        fn the_newest_wins_in_any_order(steps in prop::collection::vec((0u8..4, 1i64..9, any::<bool>()), 0..60)) {
            let mut rows: Confirmed<Row> = Confirmed::default();
            let (mut newest, mut named) = (BTreeMap::new(), BTreeMap::new());
            for (now_ms, (id, version, is_document)) in steps.into_iter().enumerate() {
                let highest = named.entry(id).or_insert(version);
                *highest = version.max(*highest);
                if is_document {
                    rows.take(Row(id, version), now_ms as u64);
                    let highest = newest.entry(id).or_insert(version);
                    *highest = version.max(*highest);
                } else {
                    rows.learn(id, Version(version), now_ms as u64, 0);
                }
            }
            for id in 0..4 {
                let (have, known) = (rows.have(id).0, rows.known(id).0);
                prop_assert_eq!(have, newest.get(&id).copied().unwrap_or(0));
                prop_assert_eq!(known, named.get(&id).copied().unwrap_or(0));
                prop_assert_eq!(rows.behind.contains_key(&id), have < known);
            }
        }
    }
}
