//! A sorted list of ids that is kept up to date row by row, and never moves a row under the reader's pointer.
//!
//! It knows ids and sort keys only. While the list is scrolled, what would appear above the last visible row waits until the
//! reader asks for it, and a row that no longer passes the filter stays until then.

use crate::hash::IdMap;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Where a row stands: smaller comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The sort's own value.
    pub primary: i64,
    /// Decides between equals.
    pub secondary: i64,
    /// Decides between twins, so that the order is total.
    pub id: Uuid,
}

/// The rows that are on screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first visible row.
    pub first: usize,
    /// The row after the last visible one.
    pub end: usize,
    /// Whether the reader has scrolled down, so that nothing may move.
    pub held: bool,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Index {
    sorted: Vec<Key>,
    keys: IdMap<Uuid, Key>,
    /// Rows that wait until the reader lets go; in order, for a reproducible release.
    waiting: BTreeMap<Uuid, Key>,
    window: Window,
    /// Whether a held list shows a row that should have left or moved.
    outdated: bool,
}

impl Index {
    /// How many rows the list has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether the list has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many rows wait above.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The rows on screen.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// The row at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Uuid> {
        self.sorted.get(place).map(|key| key.id)
    }

    /// The rows of a range, cut to what there is.
    pub fn range(&self, first: usize, end: usize) -> impl Iterator<Item = Uuid> + '_ {
        let end = end.min(self.sorted.len());
        self.sorted[first.min(end)..end].iter().map(|key| key.id)
    }

    /// The place of a row.
    #[must_use]
    pub fn position(&self, id: Uuid) -> Option<usize> {
        self.keys.get(&id).and_then(|key| self.sorted.binary_search(key).ok())
    }

    /// Whether a row is on screen.
    #[must_use]
    pub fn shows(&self, id: Uuid) -> bool {
        self.position(id).is_some_and(|place| (self.window.first..self.window.end).contains(&place))
    }

    /// Takes note of a row that is new or has changed; `None` as its key when it does not pass the filter.
    pub fn place(&mut self, id: Uuid, key: Option<Key>) {
        match (self.keys.get(&id).copied(), key) {
            (Some(old), Some(new)) if old == new => {}
            (Some(_), _) if self.window.held => self.outdated = true,
            (Some(old), new) => {
                self.remove(old);
                if let Some(new) = new {
                    self.insert(new);
                }
            }
            (None, Some(new)) if self.would_move_what_is_read(new) => {
                self.waiting.insert(id, new);
            }
            (None, Some(new)) => {
                self.waiting.remove(&id);
                self.insert(new);
            }
            (None, None) => {
                self.waiting.remove(&id);
            }
        }
    }

    /// Takes a row away that stands for nothing any more, even from a held list.
    pub fn take_away(&mut self, id: Uuid) {
        self.waiting.remove(&id);
        if let Some(key) = self.keys.get(&id).copied() {
            self.remove(key);
        }
    }

    /// Starts anew with these rows.
    pub fn rebuild(&mut self, keys: impl Iterator<Item = Key>) {
        self.sorted = keys.collect();
        self.sorted.sort_unstable();
        self.keys = self.sorted.iter().map(|key| (key.id, *key)).collect();
        self.waiting.clear();
        self.outdated = false;
    }

    /// Takes note of what is on screen. Says whether the list should be rebuilt now that it may move.
    #[must_use]
    pub fn look_at(&mut self, window: Window) -> bool {
        self.window = window;
        !window.held && self.release()
    }

    /// Lets the waiting rows in. Says whether the list should be rebuilt, because a row has overstayed.
    #[must_use]
    pub fn release(&mut self) -> bool {
        self.window.held = false;
        for (_, key) in std::mem::take(&mut self.waiting) {
            self.insert(key);
        }
        self.outdated
    }

    fn would_move_what_is_read(&self, key: Key) -> bool {
        let last_visible = self.window.end.min(self.sorted.len()).checked_sub(1).map(|place| self.sorted[place]);
        self.window.held && last_visible.is_some_and(|last| key < last)
    }

    fn insert(&mut self, key: Key) {
        if let Err(place) = self.sorted.binary_search(&key) {
            self.sorted.insert(place, key);
            self.keys.insert(key.id, key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Ok(place) = self.sorted.binary_search(&key) {
            self.sorted.remove(place);
        }
        self.keys.remove(&key.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(primary: i64, id: u128) -> Key {
        Key { primary, secondary: 0, id: Uuid::from_u128(id) }
    }

    fn ids(index: &Index) -> Vec<u128> {
        index.range(0, usize::MAX).map(|id| id.as_u128()).collect()
    }

    #[test]
    fn rows_that_would_push_the_visible_ones_wait() {
        let mut index = Index::default();
        index.rebuild((0..10).map(|place| key(place, place as u128)));
        assert!(!index.look_at(Window { first: 3, end: 6, held: true }));
        index.place(Uuid::from_u128(90), Some(key(-1, 90)));
        index.place(Uuid::from_u128(91), Some(key(7, 91)));
        assert_eq!((index.waiting(), index.position(Uuid::from_u128(3))), (1, Some(3)));
        assert_eq!(index.len(), 11, "below the window a row moves nothing that is read");
        assert!(!index.release(), "nothing has overstayed");
        assert_eq!((index.waiting(), index.get(0)), (0, Some(Uuid::from_u128(90))));
    }

    #[test]
    fn a_row_that_left_the_filter_stays_while_the_list_is_held() {
        let mut index = Index::default();
        index.rebuild((0..10).map(|place| key(place, place as u128)));
        assert!(!index.look_at(Window { first: 3, end: 6, held: true }));
        index.place(Uuid::from_u128(1), None);
        assert_eq!(index.len(), 10);
        assert!(index.look_at(Window { first: 0, end: 3, held: false }), "a row has overstayed");
        index.place(Uuid::from_u128(1), None);
        assert_eq!(index.len(), 9);
    }

    proptest! {
        /// Row by row or all at once: the list is the same.
        #[test]
        fn it_equals_a_sort_of_the_rows_that_pass(changes in prop::collection::vec((0u128..20, prop::option::of(0i64..5)), 0..60)) {
            let mut index = Index::default();
            let mut last = BTreeMap::new();
            for (id, primary) in changes {
                index.place(Uuid::from_u128(id), primary.map(|primary| key(primary, id)));
                last.insert(id, primary);
            }
            let mut expected: Vec<_> = last.into_iter().filter_map(|(id, primary)| primary.map(|primary| key(primary, id))).collect();
            expected.sort_unstable();
            prop_assert_eq!(ids(&index), expected.iter().map(|key| key.id.as_u128()).collect::<Vec<_>>());
            for (place, key) in expected.iter().enumerate() {
                prop_assert_eq!(index.position(key.id), Some(place));
            }
        }

        /// While held, the rows up to the last visible one are what they were.
        #[test]
        fn nothing_moves_while_it_is_held(first in 1usize..5, changes in prop::collection::vec((0u128..40, -5i64..30), 0..40)) {
            let mut index = Index::default();
            index.rebuild((0..20).map(|place| key(place, place as u128)));
            let outdated = index.look_at(Window { first, end: first + 4, held: true });
            prop_assert!(!outdated);
            let before: Vec<_> = ids(&index).into_iter().take(first + 4).collect();
            for (id, primary) in changes {
                if id >= 20 {
                    index.place(Uuid::from_u128(id), Some(key(primary, id)));
                } else {
                    index.place(Uuid::from_u128(id), None);
                }
            }
            prop_assert_eq!(ids(&index).into_iter().take(first + 4).collect::<Vec<_>>(), before);
        }
    }
}
