//! One story in every order: replies, frames, reads, losses and drops as chance deals them.

use crate::{
    Millis, Msg,
    ask::{Answer, Ask},
    command::Failure,
    fixtures,
    stories::{Desk, order_id},
    view::StatusKind,
};
use proptest::prelude::*;
use tramline_contract::{Page, Version, live::ServerFrame};
use uuid::Uuid;

/// A word of the server, or a mishap, about one of our orders.
#[derive(Clone, Copy, Debug)]
enum Event {
    Reply(u128),
    LostReply(u128),
    NextFrame,
    RepeatedFrame(u64),
    SkippedFrame(u64),
    Read(u128, i64),
    ListRead(i64),
    Drop,
    Wait(Millis),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1u128..=4).prop_map(Event::Reply),
        (1u128..=4).prop_map(Event::LostReply),
        Just(Event::NextFrame),
        Just(Event::NextFrame),
        (1u64..=8).prop_map(Event::RepeatedFrame),
        (1u64..=8).prop_map(Event::SkippedFrame),
        (1u128..=4, 1i64..=2).prop_map(|(id, version)| Event::Read(id, version)),
        (1i64..=2).prop_map(Event::ListRead),
        Just(Event::Drop),
        (1u64..20_000).prop_map(Event::Wait),
    ]
}

/// The feed of four orders: placed in turn, decided in turn.
fn feed() -> Vec<(u64, u128, i64)> {
    let steps = (1..=4).map(|id| (id, 1)).chain((1..=4).map(|id| (id, 2)));
    steps.enumerate().map(|(place, (id, version))| (place as u64 + 1, id, version)).collect()
}

impl Desk {
    fn suffers(&mut self, event: Event) {
        let cursor = self.model.feed.cursor.unwrap_or_default();
        match event {
            Event::Reply(id) => self.accepted(id),
            Event::LostReply(id) => self.says(Msg::CommandAnswered(Uuid::from_u128(id), Err(Failure::NoAnswer))),
            Event::NextFrame => self.hears(cursor + 1),
            Event::RepeatedFrame(place) => self.hears(place.min(cursor)),
            Event::SkippedFrame(place) => self.hears(place),
            Event::Read(id, version) => {
                let ask = Ask::Order { id: order_id(id), min_version: Version::FIRST };
                let answer = Answer::Order(Box::new(fixtures::order(id, version)));
                self.says(Msg::ReadAnswered(ask, Ok(answer)));
            }
            Event::ListRead(version) => {
                let items = (1..=4).map(|id| fixtures::order(id, version)).collect();
                let page = Page { items, next_cursor: None };
                self.says(Msg::ReadAnswered(Ask::PollOrders, Ok(Answer::Orders(page))));
            }
            Event::Drop => {
                if let Some(socket) = self.model.connection.socket() {
                    self.says(Msg::SocketClosed(socket));
                }
            }
            Event::Wait(ms) => self.waits(ms),
        }
    }

    fn hears(&mut self, place: u64) {
        let Some(socket) = self.model.connection.socket().filter(|_| self.model.connection.is_live()) else { return };
        let Some((cursor, id, version)) = feed().into_iter().find(|(cursor, ..)| *cursor == place) else { return };
        let frame = ServerFrame::Order { cursor, prev: cursor - 1, order: fixtures::order(id, version) };
        self.says(Msg::FramesArrived(socket, vec![frame]));
    }

    /// The world is kind again: the socket comes back and delivers the rest.
    fn recovers(&mut self) {
        for _ in 0..20 {
            if self.model.connection.is_live() {
                break;
            }
            self.waits(15_000);
            let Some(socket) = self.model.connection.socket() else { continue };
            self.says(Msg::SocketOpened(socket));
            let (epoch, cursor) = ("a".to_owned(), self.model.feed.cursor.unwrap_or_default());
            self.says(Msg::FramesArrived(socket, vec![ServerFrame::Resumed { epoch, cursor }]));
        }
        assert!(self.model.connection.is_live());
        for (cursor, ..) in feed() {
            self.hears(cursor);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever the order of replies, frames, reads, losses and drops: one row for each order at every moment, no row goes back to
    /// an older version, and in the end every row shows its outcome and nothing is left over.
    #[test]
    fn every_order_ends_as_one_row_with_its_outcome(events in prop::collection::vec(event(), 0..60)) {
        let mut desk = Desk::live();
        for id in 1..=4 {
            desk.submits(id);
        }
        let mut seen = [0i64; 5];
        for event in events {
            desk.suffers(event);
            let mut rows = desk.rows();
            rows.sort_unstable();
            prop_assert_eq!(rows, vec![1, 2, 3, 4], "after {:?}", event);
            for id in 1..=4u128 {
                let version = desk.model.order(order_id(id)).map_or(0, |order| order.version.0);
                prop_assert!(version >= seen[id as usize], "order {} went back after {:?}", id, event);
                seen[id as usize] = version;
            }
        }
        desk.recovers();
        for id in 1..=4u128 {
            let expected = if id % 2 == 0 { StatusKind::Approved } else { StatusKind::Rejected };
            prop_assert_eq!(desk.status(id), Some(expected));
            prop_assert_eq!(desk.model.order_row(order_id(id)).and_then(|row| row.stale), None);
        }
        prop_assert_eq!(desk.model.pending.iter().count(), 0);
        prop_assert!(desk.model.own.is_empty() && desk.model.unsettled.is_empty());
        prop_assert_eq!(desk.model.feed.cursor, Some(8));
    }
}
