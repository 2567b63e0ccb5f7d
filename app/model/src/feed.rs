//! How far the socket's feed has been applied: the cursor, gaps, and the pause while the lists are read again.
//!
//! It orders frames and knows nothing of what they change.

use std::collections::VecDeque;
use tramline_contract::live::{Cursor, ServerFrame};

/// Frames that wait while the lists are read again. More than this, and starting over is cheaper.
const BUFFERED_FRAMES: usize = 5_000;

/// The feed.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// The epoch of the cursor.
    pub epoch: Option<String>,
    /// The last frame that was applied.
    pub cursor: Option<Cursor>,
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    /// Nothing was answered yet.
    #[default]
    Silent,
    /// Frames follow one another.
    Following,
    /// The lists are read again; frames wait.
    Reading(Reading),
}

#[derive(Clone, Debug)]
struct Reading {
    epoch: String,
    cursor: Cursor,
    frames: VecDeque<ServerFrame>,
    orders_missing: bool,
    customers_missing: bool,
}

/// What a frame means.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Nothing to do.
    Nothing,
    /// The replay begins; from here on all that happens arrives.
    Resumed,
    /// The lists must be read again.
    MustRead,
    /// Apply this document: its frame is the next in line.
    Apply(Box<ServerFrame>),
    /// A frame is missing.
    Gap,
}

/// One of the lists that are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The orders.
    Orders,
    /// The customers.
    Customers,
}

impl Feed {
    /// A feed that was applied up to here before the page was loaded.
    #[must_use]
    pub fn at(epoch: Option<String>, cursor: Option<Cursor>) -> Self {
        Self { epoch, cursor, state: State::Silent }
    }

    /// A new socket says hello. What waited for the old one is dropped; the cursor still tells what was applied.
    pub fn greet(&mut self) {
        self.state = State::Silent;
    }

    /// Whether the lists are being read again.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        matches!(self.state, State::Reading(_))
    }

    /// Takes a frame in.
    pub fn hear(&mut self, frame: ServerFrame) -> Heard {
        match frame {
            ServerFrame::Heartbeat {} => Heard::Nothing,
            ServerFrame::Resumed { epoch, cursor } => self.resume(epoch, cursor),
            ServerFrame::Resync { epoch, cursor, .. } => {
                self.state = State::Reading(Reading {
                    epoch,
                    cursor,
                    frames: VecDeque::new(),
                    orders_missing: true,
                    customers_missing: true,
                });
                Heard::MustRead
            }
            ServerFrame::Order { cursor, prev, .. } | ServerFrame::Customer { cursor, prev, .. } => {
                self.follow(cursor, prev, frame)
            }
        }
    }

    /// A list has been read again. Returns the frames that waited, once nothing else is missing.
    pub fn read(&mut self, part: Part) -> Option<VecDeque<ServerFrame>> {
        let State::Reading(reading) = &mut self.state else { return None };
        match part {
            Part::Orders => reading.orders_missing = false,
            Part::Customers => reading.customers_missing = false,
        }
        if reading.orders_missing || reading.customers_missing {
            return None;
        }
        let State::Reading(reading) = std::mem::replace(&mut self.state, State::Following) else { return None };
        self.epoch = Some(reading.epoch);
        self.cursor = Some(reading.cursor);
        Some(reading.frames)
    }

    fn resume(&mut self, epoch: String, cursor: Cursor) -> Heard {
        let is_ours = self.epoch.as_ref() == Some(&epoch) && self.cursor.is_some_and(|ours| cursor <= ours);
        if is_ours {
            self.state = State::Following;
            Heard::Resumed
        } else {
            // It would leave something out. Without a cursor the server must answer with a resync.
            (self.epoch, self.cursor) = (None, None);
            Heard::Gap
        }
    }

    fn follow(&mut self, cursor: Cursor, prev: Cursor, frame: ServerFrame) -> Heard {
        match &mut self.state {
            State::Silent => Heard::Gap,
            State::Reading(reading) if reading.frames.len() >= BUFFERED_FRAMES => Heard::Gap,
            State::Reading(reading) => {
                reading.frames.push_back(frame);
                Heard::Nothing
            }
            State::Following => {
                let ours = self.cursor.unwrap_or_default();
                if cursor <= ours {
                    Heard::Nothing
                } else if prev > ours {
                    Heard::Gap
                } else {
                    self.cursor = Some(cursor);
                    Heard::Apply(Box::new(frame))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use proptest::prelude::*;
    use tramline_contract::live::ResyncReason;

    fn frame(cursor: Cursor) -> ServerFrame {
        ServerFrame::Order { cursor, prev: cursor - 1, order: fixtures::order(1, 1) }
    }

    fn following(cursor: Cursor) -> Feed {
        let mut feed = Feed { epoch: Some("a".to_owned()), cursor: Some(cursor), state: State::Silent };
        assert_eq!(feed.hear(ServerFrame::Resumed { epoch: "a".to_owned(), cursor }), Heard::Resumed);
        feed
    }

    #[test]
    fn frames_apply_in_line_and_a_missing_one_is_a_gap() {
        let mut feed = following(4);
        assert!(matches!(feed.hear(frame(5)), Heard::Apply(_)));
        assert_eq!(feed.hear(frame(5)), Heard::Nothing, "the same frame again");
        assert_eq!(feed.hear(frame(7)), Heard::Gap);
        assert_eq!(feed.cursor, Some(5), "what was not applied is not counted");
    }

    #[test]
    fn while_the_lists_are_read_frames_wait_and_the_old_cursor_stays() {
        let mut feed = following(4);
        let resync = ServerFrame::Resync { epoch: "b".to_owned(), cursor: 9, reason: ResyncReason::EpochChanged };
        assert_eq!(feed.hear(resync), Heard::MustRead);
        assert_eq!(feed.hear(frame(10)), Heard::Nothing);
        assert_eq!(feed.read(Part::Orders), None);
        assert_eq!((feed.epoch.as_deref(), feed.cursor), (Some("a"), Some(4)));
        assert_eq!(feed.read(Part::Customers), Some(VecDeque::from([frame(10)])));
        assert_eq!((feed.epoch.as_deref(), feed.cursor), (Some("b"), Some(9)));
    }

    #[test]
    fn a_resume_from_another_place_than_ours_is_not_trusted() {
        let mut feed = following(4);
        feed.greet();
        assert_eq!(feed.hear(ServerFrame::Resumed { epoch: "a".to_owned(), cursor: 6 }), Heard::Gap);
        assert_eq!(feed.cursor, None);
    }

    proptest! {
        /// However a feed is cut, repeated and reordered: no frame is applied twice, and none is skipped.
        #[test]
        fn every_frame_applies_once_and_in_order(arrivals in prop::collection::vec(1u64..30, 0..200)) {
            let mut feed = following(0);
            let mut applied = Vec::new();
            for cursor in arrivals {
                if let Heard::Apply(frame) = feed.hear(frame(cursor))
                    && let ServerFrame::Order { cursor, .. } = *frame
                {
                    applied.push(cursor);
                }
            }
            let expected: Vec<_> = (1..=applied.len() as u64).collect();
            prop_assert_eq!(applied, expected);
        }
    }
}
