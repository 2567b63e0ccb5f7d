//! The newest frames of the feed and the rules by which a socket goes on from its place. Pure: no task, no lock, no clock.
//!
//! Each frame's text is made once, `prev` included, because every socket sees the same feed and a client that may resume
//! stands exactly at some frame's `prev`.

use axum::extract::ws::Utf8Bytes;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tramline_contract::live::{ClientFrame, Cursor, ResyncReason, ServerFrame};
use tramline_messages::feed::{FeedItem, FeedKind};
use uuid::Uuid;

/// Where a socket stands: everything up to `cursor` was sent, or read by its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    life: u64,
    epoch: Arc<str>,
    cursor: Cursor,
}

/// The answer to a hello, and where its socket stands then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) frame: Utf8Bytes,
    pub(crate) place: Place,
}

/// How a socket goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is nothing to send.
    Wait,
    /// These frames, and then it stands there.
    Frames(Vec<Utf8Bytes>, Place),
    /// The feed began anew under it: its client must read again.
    Resync(Greeting),
    /// It fell so far behind that what it lacks is gone.
    Outrun,
}

/// The kept part of one feed. The gateway's own `life` number rises whenever the feed cannot be continued.
pub(crate) struct Ring {
    capacity: usize,
    life: u64,
    epoch: Arc<str>,
    /// Whether it has caught up with its source once in this life.
    open: bool,
    /// The place before the oldest frame kept.
    floor: Cursor,
    /// The place of the newest frame.
    head: Cursor,
    frames: VecDeque<Frame>,
    /// The version of each document in its newest frame, of the frames that are kept.
    newest: HashMap<Uuid, i64>,
}

struct Frame {
    cursor: Cursor,
    text: Utf8Bytes,
    document: Option<Stamp>,
}

/// What a document says of itself.
#[derive(Clone, Copy, Deserialize)]
struct Stamp {
    id: Uuid,
    version: i64,
}

impl Ring {
    /// An empty ring that is not open yet.
    pub(crate) fn new(capacity: usize) -> Self {
        let (frames, newest) = (VecDeque::new(), HashMap::new());
        Self { capacity, life: 0, epoch: "".into(), open: false, floor: 0, head: 0, frames, newest }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether sockets can be answered.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Forgets everything and starts after `base`; sockets wait until it is opened.
    pub(crate) fn restart(&mut self, epoch: &str, base: Cursor) {
        self.life += 1;
        self.epoch = epoch.into();
        self.open = false;
        (self.floor, self.head) = (base, base);
        self.frames.clear();
        self.newest.clear();
    }

    /// Lets sockets go on: what the source has had until now is here.
    pub(crate) fn open(&mut self) {
        self.open = true;
    }

    /// Adds the next frame. One at or before the head was added already. A document that is no newer than what its last frame
    /// told is left out: several instances of the view may read it at different moments, one after a long standstill, and a
    /// version is never served backwards.
    pub(crate) fn push(&mut self, item: &FeedItem) {
        if item.cursor <= self.head {
            return;
        }
        let stamp: Option<Stamp> = serde_json::from_str(item.document.get()).ok();
        if let Some(Stamp { id, version }) = stamp {
            let known = self.newest.entry(id).or_insert(0);
            if version <= *known {
                return;
            }
            *known = version;
        }
        let (kind, cursor, prev, document) = (name(item.kind), item.cursor, self.head, item.document.get());
        let text = format!(r#"{{"type":"{kind}","cursor":{cursor},"prev":{prev},"{kind}":{document}}}"#);
        self.frames.push_back(Frame { cursor, text: text.into(), document: stamp });
        self.head = cursor;
        if self.frames.len() > self.capacity
            && let Some(oldest) = self.frames.pop_front()
        {
            self.floor = oldest.cursor;
            if let Some(Stamp { id, version }) = oldest.document
                && self.newest.get(&id) == Some(&version)
            {
                self.newest.remove(&id);
            }
        }
    }

    /// Answers a hello; `None` while the ring is not open.
    pub(crate) fn greet(&self, hello: &ClientFrame) -> Option<Greeting> {
        let ClientFrame::Hello { epoch, cursor } = hello;
        let greeting = match (epoch.as_deref(), *cursor) {
            (Some(epoch), Some(_)) if *epoch != *self.epoch => self.resync(ResyncReason::EpochChanged),
            (Some(_), Some(cursor)) if cursor < self.floor => self.resync(ResyncReason::Expired),
            // A place that this epoch has not reached was not given out by it.
            (Some(_), Some(cursor)) if cursor > self.head => self.resync(ResyncReason::EpochChanged),
            (Some(_), Some(cursor)) => {
                self.greeting(cursor, &ServerFrame::Resumed { epoch: self.epoch.to_string(), cursor })
            }
            (None, _) | (_, None) => self.resync(ResyncReason::FirstVisit),
        };
        self.open.then_some(greeting)
    }

    /// What a socket at `place` is to be sent now, at most `most` frames of it.
    pub(crate) fn after(&self, place: &Place, most: usize) -> Next {
        if !self.open {
            return Next::Wait;
        }
        if place.life != self.life {
            let same = place.epoch == self.epoch;
            return Next::Resync(self.resync(if same { ResyncReason::Expired } else { ResyncReason::EpochChanged }));
        }
        if place.cursor < self.floor {
            return Next::Outrun;
        }
        let from = self.frames.partition_point(|frame| frame.cursor <= place.cursor);
        let frames = self.frames.range(from..).take(most);
        let Some(last) = frames.clone().last() else { return Next::Wait };
        Next::Frames(frames.map(|frame| frame.text.clone()).collect(), Place { cursor: last.cursor, ..place.clone() })
    }

    fn resync(&self, reason: ResyncReason) -> Greeting {
        let (epoch, cursor) = (self.epoch.to_string(), self.head);
        self.greeting(cursor, &ServerFrame::Resync { epoch, cursor, reason })
    }

    fn greeting(&self, cursor: Cursor, frame: &ServerFrame) -> Greeting {
        let text = serde_json::to_string(frame).expect("a frame holds only texts and numbers");
        Greeting { frame: text.into(), place: Place { life: self.life, epoch: Arc::clone(&self.epoch), cursor } }
    }
}

const fn name(kind: FeedKind) -> &'static str {
    match kind {
        FeedKind::Order => "order",
        FeedKind::Customer => "customer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ring(capacity: usize, cursors: std::ops::RangeInclusive<Cursor>) -> Ring {
        let mut ring = Ring::new(capacity);
        ring.restart("a", cursors.start() - 1);
        fill(&mut ring, cursors);
        ring.open();
        ring
    }

    fn fill(ring: &mut Ring, cursors: std::ops::RangeInclusive<Cursor>) {
        for cursor in cursors {
            let document = serde_json::value::to_raw_value(&json!({"n": cursor})).expect("it is JSON");
            ring.push(&FeedItem { cursor, kind: FeedKind::Order, document });
        }
    }

    #[test]
    fn a_version_is_never_served_backwards_or_twice() {
        let mut ring = Ring::new(3);
        ring.restart("a", 0);
        ring.open();
        let id = Uuid::from_u128(7);
        for (cursor, version) in [(1, 1), (2, 3), (3, 2), (4, 3), (5, 4)] {
            let document = serde_json::value::to_raw_value(&json!({"id": id, "version": version})).expect("it is JSON");
            ring.push(&FeedItem { cursor, kind: FeedKind::Order, document });
        }
        let start = Place { life: ring.life, epoch: "a".into(), cursor: 0 };
        let Next::Frames(frames, place) = ring.after(&start, 10) else { panic!("there are frames") };
        let told: Vec<Value> = frames.iter().map(|text| serde_json::from_str(text).expect("it is JSON")).collect();
        let told: Vec<_> =
            told.iter().map(|f| (f["prev"].clone(), f["cursor"].clone(), f["order"]["version"].clone())).collect();
        assert_eq!(
            told,
            [(json!(0), json!(1), json!(1)), (json!(1), json!(2), json!(3)), (json!(2), json!(5), json!(4))]
        );
        assert_eq!(place.cursor, 5);
        assert_eq!(ring.newest.len(), 1);
    }

    fn hello(epoch: Option<&str>, cursor: Option<Cursor>) -> ClientFrame {
        ClientFrame::Hello { epoch: epoch.map(str::to_owned), cursor }
    }

    fn told(ring: &Ring, hello: &ClientFrame) -> Value {
        let greeting = ring.greet(hello).expect("the ring is open");
        serde_json::from_str(&greeting.frame).expect("a frame is JSON")
    }

    fn resync(cursor: Cursor, reason: &str) -> Value {
        json!({"type": "resync", "epoch": "a", "cursor": cursor, "reason": reason})
    }

    /// Everything that a socket is sent from `place` on, as (cursor, prev), in steps of two.
    fn replay(ring: &Ring, mut place: Place) -> Vec<(Cursor, Cursor)> {
        let mut seen = Vec::new();
        while let Next::Frames(frames, next) = ring.after(&place, 2) {
            for frame in frames {
                let frame: Value = serde_json::from_str(&frame).expect("a frame is JSON");
                assert_eq!(frame["order"]["n"], frame["cursor"]);
                seen.push((frame["cursor"].as_u64().expect("a number"), frame["prev"].as_u64().expect("a number")));
            }
            place = next;
        }
        seen
    }

    #[test]
    fn a_hello_is_answered_by_where_its_cursor_lies() {
        let ring = ring(3, 1..=10);
        assert_eq!(told(&ring, &hello(None, None)), resync(10, "first-visit"));
        assert_eq!(told(&ring, &hello(Some("a"), None)), resync(10, "first-visit"));
        assert_eq!(told(&ring, &hello(Some("b"), Some(9))), resync(10, "epoch-changed"));
        assert_eq!(told(&ring, &hello(Some("a"), Some(11))), resync(10, "epoch-changed"));
        assert_eq!(told(&ring, &hello(Some("a"), Some(6))), resync(10, "expired"));
        for cursor in 7..=10 {
            let resumed = json!({"type": "resumed", "epoch": "a", "cursor": cursor});
            assert_eq!(told(&ring, &hello(Some("a"), Some(cursor))), resumed);
        }
    }

    #[test]
    fn what_follows_a_greeting_is_an_unbroken_chain_from_its_cursor() {
        let mut ring = ring(8, 5..=10);
        let resumed = ring.greet(&hello(Some("a"), Some(4))).expect("the ring is open");
        let fresh = ring.greet(&hello(None, None)).expect("the ring is open");
        fill(&mut ring, 10..=12);
        assert_eq!(replay(&ring, resumed.place), (5..=12).map(|cursor| (cursor, cursor - 1)).collect::<Vec<_>>());
        assert_eq!(replay(&ring, fresh.place), [(11, 10), (12, 11)]);
    }

    #[test]
    fn nobody_is_answered_before_the_ring_has_caught_up() {
        let mut ring = Ring::new(8);
        assert_eq!(ring.greet(&hello(None, None)), None);
        ring.restart("a", 0);
        assert_eq!(ring.greet(&hello(None, None)), None);
        ring.open();
        assert!(ring.greet(&hello(None, None)).is_some());
    }

    #[test]
    fn a_socket_that_the_ring_has_passed_is_outrun() {
        let mut ring = ring(3, 1..=3);
        let place = ring.greet(&hello(Some("a"), Some(2))).expect("the ring is open").place;
        fill(&mut ring, 4..=5);
        assert!(matches!(ring.after(&place, 10), Next::Frames(frames, _) if frames.len() == 3));
        fill(&mut ring, 6..=6);
        assert_eq!(ring.after(&place, 10), Next::Outrun);
    }

    #[test]
    fn a_new_life_makes_every_socket_read_again() {
        for (epoch, reason) in [("b", "epoch-changed"), ("a", "expired")] {
            let mut ring = ring(3, 1..=3);
            let place = ring.greet(&hello(None, None)).expect("the ring is open").place;
            ring.restart(epoch, 40);
            assert_eq!(ring.after(&place, 10), Next::Wait, "not before it has caught up");
            fill(&mut ring, 41..=42);
            ring.open();
            let Next::Resync(greeting) = ring.after(&place, 10) else { panic!("it must read again") };
            let frame: Value = serde_json::from_str(&greeting.frame).expect("a frame is JSON");
            assert_eq!(frame, json!({"type": "resync", "epoch": epoch, "cursor": 42, "reason": reason}));
            assert_eq!(ring.after(&greeting.place, 10), Next::Wait);
        }
    }
}
