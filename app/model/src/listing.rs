//! Walks through the pages of a list: the first at once, the rest in the background or as one scrolls.

use crate::{
    ask::Reading,
    command::Failure,
    connection::jitter,
    time::{Millis, Now},
};

/// Up to so many rows the whole list is loaded in the background, so that filters and sorts see everything.
pub const BACKGROUND_ROWS: usize = 20_000;
/// The pause between two background pages: the page stays responsive, and so does the server.
const BACKGROUND_PAUSE_MS: Millis = 20;
/// The pause after the first page: first the reader's eyes, then the rest.
const FIRST_PAUSE_MS: Millis = 400;
/// The pause after a failed read, and the longest of the ones that follow.
const RETRY_PAUSES_MS: [Millis; 2] = [2_000, 10_000];

/// A walk through the pages of a list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    reading: Reading,
    started: bool,
    cursor: Option<String>,
    at_end: bool,
    under_way: bool,
    not_before_ms: Millis,
    failures: u32,
    read_once: bool,
    trouble: Option<Failure>,
}

impl Listing {
    /// A walk that has not begun. `narrow` tells a filtered list's walk from the whole list's.
    #[must_use]
    pub fn new(narrow: bool) -> Self {
        Self { reading: Reading { narrow, generation: 0 }, ..Self::default() }
    }

    /// Begins, or begins again: answers to the walk before do not steer this one.
    pub fn start(&mut self, not_before_ms: Millis) {
        let reading = Reading { narrow: self.reading.narrow, generation: self.reading.generation + 1 };
        *self = Self { reading, started: true, read_once: self.read_once, not_before_ms, ..Self::default() };
    }

    /// Forgets the walk.
    pub fn stop(&mut self) {
        self.start(0);
        self.started = false;
        self.read_once = false;
    }

    /// Whether the first page has ever been read.
    #[must_use]
    pub fn read_once(&self) -> bool {
        self.read_once
    }

    /// Whether every page has been read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.started && self.at_end
    }

    /// Why the last read failed, if it did.
    #[must_use]
    pub fn trouble(&self) -> Option<&Failure> {
        self.trouble.as_ref()
    }

    /// The page to read now, if one is due: which walk it belongs to, and its cursor.
    #[must_use]
    pub fn next(&mut self, wants_more: bool, now_ms: Millis) -> Option<(Reading, Option<String>)> {
        let due = self.next_wake(wants_more).is_some_and(|due_ms| due_ms <= now_ms);
        due.then(|| {
            self.under_way = true;
            (self.reading, self.cursor.clone())
        })
    }

    /// When the next page is due.
    #[must_use]
    pub fn next_wake(&self, wants_more: bool) -> Option<Millis> {
        let is_first = self.cursor.is_none();
        (self.started && !self.under_way && !self.at_end && (is_first || wants_more)).then_some(self.not_before_ms)
    }

    /// A page has come. Says whether it was the first one of the present walk.
    pub fn page_read(&mut self, reading: Reading, next_cursor: Option<String>, now: Now) -> bool {
        if reading != self.reading {
            return false;
        }
        let was_first = self.cursor.is_none();
        self.under_way = false;
        self.read_once = true;
        self.failures = 0;
        self.trouble = None;
        self.at_end = next_cursor.is_none();
        self.cursor = next_cursor;
        self.not_before_ms = now.ms + if was_first { FIRST_PAUSE_MS } else { BACKGROUND_PAUSE_MS };
        was_first
    }

    /// A page did not come; it is asked for again later.
    pub fn page_failed(&mut self, reading: Reading, failure: Failure, now: Now) {
        if reading != self.reading {
            return;
        }
        let pause_ms = (RETRY_PAUSES_MS[0] << self.failures.min(4)).min(RETRY_PAUSES_MS[1]);
        self.under_way = false;
        self.failures += 1;
        self.not_before_ms = now.ms + pause_ms + jitter(pause_ms / 4, now.chance);
        self.trouble = Some(failure);
    }

    /// The reader asks for it, or the connection is back: no more waiting.
    pub fn hurry(&mut self) {
        self.not_before_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: Millis) -> Now {
        Now { ms, chance: 0.0 }
    }

    #[test]
    fn a_walk_reads_page_after_page_to_the_end() {
        let mut listing = Listing::new(false);
        listing.start(0);
        let (reading, cursor) = listing.next(false, 0).expect("the first page is due at once");
        assert_eq!(cursor, None);
        assert_eq!(listing.next(true, 0), None, "one page at a time");
        assert!(listing.page_read(reading, Some("2".to_owned()), at(10)));
        assert_eq!(listing.next(true, 10), None, "the rest comes a little later");
        assert_eq!(listing.next_wake(false), None, "or never, if nobody wants it");
        assert!(listing.next(true, 410).is_some());
        assert!(!listing.page_read(reading, None, at(420)));
        assert!(listing.is_complete());
    }

    #[test]
    fn an_answer_to_an_earlier_walk_steers_nothing() {
        let mut listing = Listing::new(false);
        listing.start(0);
        let (old, _) = listing.next(false, 0).expect("it is due");
        listing.start(0);
        assert!(!listing.page_read(old, None, at(5)));
        assert!(!listing.is_complete() && listing.next(false, 5).is_some());
    }

    #[test]
    fn a_failed_page_is_tried_again_and_the_trouble_shown_until_then() {
        let mut listing = Listing::new(false);
        listing.start(0);
        let (reading, _) = listing.next(false, 0).expect("it is due");
        listing.page_failed(reading, Failure::NoAnswer, at(0));
        assert!(listing.trouble().is_some());
        assert_eq!(listing.next_wake(false), Some(2_000));
        listing.hurry();
        assert!(listing.next(false, 1).is_some());
        listing.page_read(reading, None, at(2));
        assert!(listing.trouble().is_none());
    }
}
