//! A choreographed saga as data: its turns, each told by one service, and the pure rule that holds events against it.

use crate::Category;
use std::marker::PhantomData;

/// One turn: a service acts and tells so by an event. It follows upon the event of the turn before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The turn's name, such as `book-flight`.
    pub name: &'static str,
    /// The service whose turn it is.
    pub by: &'static str,
    /// Its place relative to the point of no return.
    pub category: Category,
    /// The event that it is done.
    pub done: &'static str,
    /// The events that it is refused; none where it cannot be.
    pub refused: Vec<&'static str>,
    /// The event of its compensating transaction, where there is one.
    pub undone: Option<&'static str>,
}

/// A turn in the making. `Undo` tells the compiler whether a compensating transaction is there.
pub struct TurnOf<Undo>(Turn, PhantomData<Undo>);
/// Marks a turn with a compensating transaction.
pub struct Undoable;
/// Marks a turn that nothing undoes.
pub struct Final;

/// Begins a turn: who acts, and the event by which it tells that it has.
#[must_use]
pub fn turn(name: &'static str, by: &'static str, done: &'static str) -> TurnOf<Final> {
    let turn = Turn { name, by, category: Category::Retriable, done, refused: Vec::new(), undone: None };
    TurnOf(turn, PhantomData)
}

impl<Undo> TurnOf<Undo> {
    /// An event by which it is refused for a business reason.
    #[must_use]
    pub fn or(mut self, refused: &'static str) -> Self {
        self.0.refused.push(refused);
        self
    }
}

impl TurnOf<Final> {
    /// The event of the compensating transaction. It must not be refused.
    #[must_use]
    pub fn undone_by(mut self, undone: &'static str) -> TurnOf<Undoable> {
        self.0.undone = Some(undone);
        TurnOf(self.0, PhantomData)
    }
}

/// Who tells what after which event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    kind: &'static str,
    turns: Vec<Turn>,
}

/// A protocol in the making: everything so far can be undone.
pub struct Open(Protocol);
/// A protocol in the making: past the point of no return.
pub struct Committed(Protocol);

/// Begins a protocol.
#[must_use]
pub const fn protocol(kind: &'static str) -> Open {
    Open(Protocol { kind, turns: Vec::new() })
}

impl Open {
    /// A turn that can be undone.
    #[must_use]
    pub fn compensatable(mut self, turn: TurnOf<Undoable>) -> Self {
        self.0.turns.push(Turn { category: Category::Compensatable, ..turn.0 });
        self
    }

    /// The point of no return.
    #[must_use]
    pub fn pivot(mut self, turn: TurnOf<Final>) -> Committed {
        self.0.turns.push(Turn { category: Category::Pivot, ..turn.0 });
        Committed(self.0)
    }
}

impl Committed {
    /// A turn that cannot be refused.
    #[must_use]
    pub fn retriable(mut self, turn: TurnOf<Final>) -> Self {
        self.0.turns.push(Turn { category: Category::Retriable, refused: Vec::new(), ..turn.0 });
        self
    }

    /// Ends the protocol.
    #[must_use]
    pub fn build(self) -> Protocol {
        self.0
    }
}

/// How far a conversation has come. Turns are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// This turn is awaited.
    Forward(usize),
    /// The compensating transaction of this turn is awaited.
    Back(usize),
    /// Every turn is done.
    Completed,
    /// Every turn that was done is undone.
    RolledBack,
}

/// An event that the protocol does not have at this point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{protocol}: {by} told {event}, which the protocol does not have after {progress:?}")]
pub struct Departure {
    /// The protocol.
    pub protocol: &'static str,
    /// Who told it.
    pub by: String,
    /// What was told.
    pub event: String,
    /// How far the conversation had come.
    pub progress: Progress,
}

impl Protocol {
    /// The saga's kind, `BookTrip`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The turns, in order.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Where every conversation begins: its first turn is awaited.
    pub const BEGINNING: Progress = Progress::Forward(0);

    /// What an event makes of a conversation.
    ///
    /// # Errors
    /// When the protocol does not have that event of that service at this point.
    pub fn observe(&self, progress: Progress, by: &str, event: &str) -> Result<Progress, Departure> {
        let turn = |number: usize| self.turns.get(number).filter(|turn| turn.by == by);
        let next = match progress {
            Progress::Forward(number) => turn(number).and_then(|turn| {
                if turn.done == event {
                    let next = number + 1;
                    Some(if next < self.turns.len() { Progress::Forward(next) } else { Progress::Completed })
                } else if turn.refused.contains(&event) {
                    Some(self.undo_below(number))
                } else {
                    None
                }
            }),
            Progress::Back(number) => {
                turn(number).filter(|turn| turn.undone == Some(event)).map(|_| self.undo_below(number))
            }
            Progress::Completed | Progress::RolledBack => None,
        };
        next.ok_or_else(|| Departure { protocol: self.kind, by: by.to_owned(), event: event.to_owned(), progress })
    }

    /// The turn that a service owes upon an event: to act, or with `true` to undo what it did. `None` when the event is no concern
    /// of its.
    #[must_use]
    pub fn owed(&self, service: &str, event: &str) -> Option<(&Turn, bool)> {
        let after = |number: usize| match number {
            0 => None,
            _ => self.turns.get(number - 1).map(|turn| turn.done),
        };
        let forward = |(number, turn): (usize, &'_ Turn)| turn.by == service && after(number) == Some(event);
        if let Some((_, turn)) = self.turns.iter().enumerate().find(|(number, turn)| forward((*number, turn))) {
            return Some((turn, false));
        }
        let ends = self
            .turns
            .iter()
            .enumerate()
            .filter(|(_, turn)| turn.refused.contains(&event) || turn.undone == Some(event));
        ends.filter_map(|(number, _)| match self.undo_below(number) {
            Progress::Back(below) => self.turns.get(below).filter(|turn| turn.by == service),
            Progress::Forward(_) | Progress::Completed | Progress::RolledBack => None,
        })
        .map(|turn| (turn, true))
        .next()
    }

    fn undo_below(&self, number: usize) -> Progress {
        match self.turns.iter().take(number).rposition(|turn| turn.undone.is_some()) {
            Some(below) => Progress::Back(below),
            None => Progress::RolledBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trip() -> Protocol {
        protocol("BookTrip")
            .compensatable(turn("book-hotel", "hotels", "HotelBooked").undone_by("HotelCancelled"))
            .compensatable(turn("book-car", "cars", "CarBooked").or("CarRefused").undone_by("CarCancelled"))
            .pivot(turn("book-flight", "flights", "FlightBooked").or("FlightRefused"))
            .retriable(turn("send-ticket", "tickets", "TicketSent"))
            .build()
    }

    fn all(events: &[(&str, &str)]) -> Result<Progress, Departure> {
        events.iter().try_fold(Protocol::BEGINNING, |progress, (by, event)| trip().observe(progress, by, event))
    }

    #[test]
    fn a_conversation_completes_or_is_rolled_back_in_reverse() {
        let (hotel, car) = (("hotels", "HotelBooked"), ("cars", "CarBooked"));
        assert_eq!(all(&[hotel, car, ("flights", "FlightBooked")]), Ok(Progress::Forward(3)));
        assert_eq!(all(&[hotel, car, ("flights", "FlightBooked"), ("tickets", "TicketSent")]), Ok(Progress::Completed));
        let refused = [hotel, car, ("flights", "FlightRefused")];
        assert_eq!(all(&refused), Ok(Progress::Back(1)));
        let undone = [&refused[..], &[("cars", "CarCancelled"), ("hotels", "HotelCancelled")]].concat();
        assert_eq!(all(&undone), Ok(Progress::RolledBack));
        assert_eq!(all(&[hotel, ("cars", "CarRefused"), ("hotels", "HotelCancelled")]), Ok(Progress::RolledBack));
    }

    #[test]
    fn an_event_out_of_turn_or_of_another_service_is_a_departure() {
        for events in [
            &[("cars", "CarBooked")][..],
            &[("hotels", "HotelBooked"), ("flights", "FlightBooked")],
            &[("hotels", "HotelBooked"), ("hotels", "CarBooked")],
            &[("hotels", "HotelBooked"), ("hotels", "HotelBooked")],
            &[
                ("hotels", "HotelBooked"),
                ("cars", "CarBooked"),
                ("flights", "FlightRefused"),
                ("hotels", "HotelCancelled"),
            ],
        ] {
            let departure = all(events).expect_err("it is not in the protocol");
            assert_eq!(departure.event, events.last().expect("there is one").1);
        }
    }

    #[test]
    fn each_service_owes_what_follows_upon_an_event() {
        let trip = trip();
        let owed = |service, event| trip.owed(service, event).map(|(turn, undo)| (turn.name, undo));
        assert_eq!(owed("cars", "HotelBooked"), Some(("book-car", false)));
        assert_eq!(owed("flights", "HotelBooked"), None);
        assert_eq!(owed("cars", "FlightRefused"), Some(("book-car", true)));
        assert_eq!(owed("hotels", "CarCancelled"), Some(("book-hotel", true)));
        assert_eq!(owed("hotels", "CarRefused"), Some(("book-hotel", true)));
        assert_eq!(owed("hotels", "TicketSent"), None);
    }

    proptest! {
        /// Services that do what they owe never depart from the protocol, whatever is refused, and the conversation ends.
        #[test]
        fn doing_what_is_owed_leads_to_an_end(refused in prop::option::of(0_usize..4)) {
            let trip = trip();
            let first = &trip.turns()[0];
            let (mut by, mut event) = (first.by, first.done);
            let mut progress = trip.observe(Protocol::BEGINNING, by, event).expect("it begins so");
            for _ in 0..16 {
                let answers: Vec<_> = ["hotels", "cars", "flights", "tickets"].into_iter()
                    .filter_map(|service| trip.owed(service, event).map(|owed| (service, owed))).collect();
                let Some((service, (turn, undo))) = answers.first().copied() else { break };
                prop_assert_eq!(answers.len(), 1, "one service has the next turn");
                let number = trip.turns().iter().position(|other| other.name == turn.name);
                by = service;
                event = match (undo, turn.refused.first().copied()) {
                    (true, _) => turn.undone.expect("it can be undone"),
                    (false, Some(refusal)) if number == refused => refusal,
                    (false, _) => turn.done,
                };
                progress = trip.observe(progress, by, event).expect("it is owed");
            }
            let refusable = refused.is_some_and(|number| !trip.turns()[number].refused.is_empty());
            prop_assert_eq!(progress, if refusable { Progress::RolledBack } else { Progress::Completed });
        }
    }
}
