//! Tests of aggregates in the words of the domain: given what happened, when this is asked, then that happens.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tramline_eventsourcing::{Aggregate, Event, testing::given};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum Happened { Opened, Closed }
//! impl Event for Happened {
//!     fn kind(&self) -> &'static str {
//!         match self { Self::Opened => "Opened", Self::Closed => "Closed" }
//!     }
//! }
//!
//! #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct Door { open: bool }
//! impl Aggregate for Door {
//!     type Event = Happened;
//!     const KIND: &'static str = "Door";
//!     fn apply(&mut self, event: &Happened) { self.open = *event == Happened::Opened; }
//! }
//! impl Door {
//!     fn close(&self) -> Result<Vec<Happened>, &'static str> {
//!         if self.open { Ok(vec![Happened::Closed]) } else { Err("it is closed") }
//!     }
//! }
//!
//! given([Happened::Opened]).when(Door::close).then([Happened::Closed]).and(|door| assert!(!door.open));
//! given([]).when(Door::close).then_refused("it is closed");
//! ```
//!
//! What is given goes through JSON on its way to the aggregate, and so does the state on its way to the decision: an event that
//! does not read as it was written, or a snapshot that forgets, fails the test. Nothing here waits or keeps anything.

use crate::{Aggregate, Event};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// What has happened so far.
#[derive(Debug)]
pub struct Given<A>(A);

/// What was decided, and the state that it was decided on.
#[derive(Debug)]
#[must_use = "say what should have come of it: `then`, `then_nothing` or `then_refused`"]
pub struct Decided<A, E, R> {
    state: A,
    decision: Result<Vec<E>, R>,
}

/// Begins with events, oldest first.
///
/// # Panics
/// When an event does not read as it was written, or the state of some moment does not survive a snapshot.
pub fn given<A>(events: impl IntoIterator<Item = A::Event>) -> Given<A>
where
    A: Aggregate + PartialEq + Debug,
{
    let mut state = A::default();
    for event in events {
        let read: A::Event = through_json(&event);
        assert_eq!(read.kind(), event.kind(), "an event reads as another kind");
        state.apply(&read);
        assert_eq!(through_json(&state), state, "a snapshot forgets something");
    }
    Given(state)
}

impl<A: Aggregate> Given<A> {
    /// Asks for something: a decision on the state.
    pub fn when<R>(self, decide: impl FnOnce(&A) -> Result<Vec<A::Event>, R>) -> Decided<A, A::Event, R> {
        let decision = decide(&self.0);
        Decided { state: self.0, decision }
    }
}

impl<A, R> Decided<A, A::Event, R>
where
    A: Aggregate,
    A::Event: Debug + PartialEq,
    R: Debug + PartialEq,
{
    /// Exactly these events, and returns what they make of the state.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let Self { mut state, decision } = self;
        let expected: Vec<_> = expected.into_iter().collect();
        match decision {
            Ok(events) => {
                assert_eq!(events, expected);
                for event in &events {
                    state.apply(&through_json(event));
                }
                Given(state)
            }
            Err(refusal) => panic!("refused with {refusal:?} where {expected:?} was expected"),
        }
    }

    /// No event at all: what was asked for is so already.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then_nothing(self) -> Given<A> {
        self.then([])
    }

    /// A refusal.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then_refused(self, expected: R) {
        match self.decision {
            Err(refusal) => assert_eq!(refusal, expected),
            Ok(events) => panic!("{events:?} where a refusal with {expected:?} was expected"),
        }
    }
}

impl<A> Given<A> {
    /// Looks at the state.
    pub fn and(self, look: impl FnOnce(&A)) -> Self {
        look(&self.0);
        self
    }
}

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("what is stored is plain data");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text} does not read as it was written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::panic::catch_unwind;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Measured(i64);

    impl Event for Measured {
        fn kind(&self) -> &'static str {
            "Measured"
        }
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Thermometer {
        highest: i64,
        #[serde(skip)]
        forgotten: i64,
    }

    impl Aggregate for Thermometer {
        type Event = Measured;
        const KIND: &'static str = "Thermometer";

        fn apply(&mut self, Measured(degrees): &Measured) {
            self.highest = self.highest.max(*degrees);
            self.forgotten = i64::from(*degrees == 13);
        }
    }

    impl Thermometer {
        fn measure(&self, degrees: i64) -> Result<Vec<Measured>, &'static str> {
            match degrees {
                ..-273 => Err("colder than cold"),
                _ if degrees <= self.highest => Ok(Vec::new()),
                _ => Ok(vec![Measured(degrees)]),
            }
        }
    }

    fn thermometer(events: impl IntoIterator<Item = i64>) -> Given<Thermometer> {
        given(events.into_iter().map(Measured))
    }

    #[test]
    fn what_is_as_expected_passes() {
        let after = thermometer([3]).when(|state| state.measure(4)).then([Measured(4)]);
        after.and(|state| assert_eq!(state.highest, 4)).when(|state| state.measure(4)).then_nothing();
        thermometer([]).when(|state| state.measure(-300)).then_refused("colder than cold");
    }

    #[test]
    fn what_is_not_as_expected_fails() {
        let wrong: [fn(); 4] = [
            || {
                let _ = thermometer([3]).when(|state| state.measure(4)).then_nothing();
            },
            || {
                let _ = thermometer([3]).when(|state| state.measure(-300)).then_nothing();
            },
            || thermometer([3]).when(|state| state.measure(4)).then_refused("colder than cold"),
            || {
                let _ = thermometer([13]);
            },
        ];
        for (number, test) in wrong.into_iter().enumerate() {
            assert!(catch_unwind(test).is_err(), "number {number} passes");
        }
    }
}
