//! When to leave an address alone: the *circuit breaker* of Nygard's *Release It!*, as a state machine without a clock.
//!
//! ```text
//! closed ──failures in a row──► open ──time──► half-open ──the probe is answered──► closed
//!                                 ▲                └──the probe fails──► open
//! ```
//!
//! Time comes in as the duration since some start; what is asked and told is carried out by [`crate::remote`].

use std::time::Duration;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// Calls that fail one after the other, with no answer between them, before the address is left alone.
    pub failures: u32,
    /// How long it is left alone before one call may try again.
    pub open_for: Duration,
}

impl Default for BreakerRules {
    /// Five failures: a single lost connection says nothing. Two seconds: about what a restart takes.
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(2) }
    }
}

/// How a call waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The answer is due at once.
    Prompt,
    /// The service answers when there is news. Such a call never is the probe: it would hold up everybody else while it
    /// waits.
    LongPoll,
}

/// What is said to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may go; its outcome is to be told with the ticket.
    Granted(Ticket),
    /// Not now.
    Refused {
        /// When another try has a chance.
        retry_after: Duration,
    },
}

/// Names the state that a call was admitted in: outcomes of an earlier state change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    generation: u64,
}

/// What became of an admitted call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole answer came, whatever its status: somebody is there. A service that refuses work because it has too much
    /// must not be taken for one that is gone.
    Answered,
    /// No answer, or not in time.
    Failed,
    /// Its caller lost interest before it was known.
    Abandoned,
}

/// What an outcome changed, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The address is left alone from now on.
    Opened,
    /// The address is called again.
    Closed,
}

/// The breaker of one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breaker {
    rules: BreakerRules,
    state: State,
    /// Raised with each change of state.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration },
    HalfOpen,
}

impl Breaker {
    pub(crate) const fn new(rules: BreakerRules) -> Self {
        Self { rules, state: State::Closed { failures: 0 }, generation: 0 }
    }

    /// Decides whether a call may go.
    pub(crate) fn admit(&mut self, now: Duration, patience: Patience) -> Admission {
        match (self.state, patience) {
            (State::Closed { .. }, _) => {}
            (State::Open { until }, _) if now < until => {
                return Admission::Refused { retry_after: until.saturating_sub(now) };
            }
            (State::Open { .. }, Patience::LongPoll) => {}
            (State::Open { .. }, Patience::Prompt) => self.enter(State::HalfOpen),
            (State::HalfOpen, _) => return Admission::Refused { retry_after: self.rules.open_for },
        }
        Admission::Granted(Ticket { generation: self.generation })
    }

    /// Takes the outcome of an admitted call.
    pub(crate) fn note(&mut self, now: Duration, ticket: Ticket, outcome: Outcome) -> Option<Change> {
        if ticket.generation != self.generation {
            return None;
        }
        let reopened = State::Open { until: now.saturating_add(self.rules.open_for) };
        match (self.state, outcome) {
            (State::Closed { .. }, Outcome::Answered) => {
                self.state = State::Closed { failures: 0 };
                None
            }
            (State::Closed { failures }, Outcome::Failed) if failures.saturating_add(1) < self.rules.failures => {
                self.state = State::Closed { failures: failures + 1 };
                None
            }
            (State::Closed { .. }, Outcome::Failed) => {
                self.enter(reopened);
                Some(Change::Opened)
            }
            (State::Open { .. } | State::HalfOpen, Outcome::Answered) => {
                self.enter(State::Closed { failures: 0 });
                Some(Change::Closed)
            }
            (State::Open { .. } | State::HalfOpen, Outcome::Failed) => {
                self.enter(reopened);
                None
            }
            // Nothing was learnt, so the next call is the probe.
            (State::HalfOpen, Outcome::Abandoned) => {
                self.enter(State::Open { until: now });
                None
            }
            (State::Closed { .. } | State::Open { .. }, Outcome::Abandoned) => None,
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: BreakerRules = BreakerRules { failures: 3, open_for: Duration::from_secs(2) };

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn granted(breaker: &mut Breaker, now: Duration) -> Ticket {
        match breaker.admit(now, Patience::Prompt) {
            Admission::Granted(ticket) => ticket,
            Admission::Refused { .. } => panic!("it is refused: {breaker:?}"),
        }
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(RULES);
        for _ in 0..3 {
            let ticket = granted(&mut breaker, at(0));
            breaker.note(at(0), ticket, Outcome::Failed);
        }
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = Breaker::new(RULES);
        for outcome in [Outcome::Failed, Outcome::Failed, Outcome::Answered, Outcome::Failed, Outcome::Failed] {
            let ticket = granted(&mut breaker, at(0));
            assert_eq!(breaker.note(at(0), ticket, outcome), None);
        }
        let ticket = granted(&mut breaker, at(0));
        assert_eq!(breaker.note(at(0), ticket, Outcome::Failed), Some(Change::Opened));
        let refused = Admission::Refused { retry_after: at(500) };
        assert_eq!(breaker.admit(at(1_500), Patience::Prompt), refused);
        assert_eq!(breaker.admit(at(1_500), Patience::LongPoll), refused);
    }

    #[test]
    fn one_probe_goes_when_the_time_is_up_and_its_answer_closes_it() {
        let mut breaker = opened();
        let probe = granted(&mut breaker, at(2_000));
        assert!(matches!(breaker.admit(at(2_000), Patience::Prompt), Admission::Refused { .. }));
        assert_eq!(breaker.note(at(2_100), probe, Outcome::Answered), Some(Change::Closed));
        granted(&mut breaker, at(2_100));
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_is_abandoned_lets_the_next_one_try() {
        let mut breaker = opened();
        let probe = granted(&mut breaker, at(2_000));
        breaker.note(at(2_500), probe, Outcome::Failed);
        assert_eq!(breaker.admit(at(4_000), Patience::Prompt), Admission::Refused { retry_after: at(500) });
        let probe = granted(&mut breaker, at(4_500));
        breaker.note(at(4_600), probe, Outcome::Abandoned);
        granted(&mut breaker, at(4_600));
    }

    #[test]
    fn a_long_poll_is_no_probe_but_its_answer_counts() {
        let mut breaker = opened();
        let Admission::Granted(poll) = breaker.admit(at(2_000), Patience::LongPoll) else { panic!("it may go") };
        assert_eq!(breaker.note(at(2_000), poll, Outcome::Answered), Some(Change::Closed));
        let mut breaker = opened();
        let Admission::Granted(poll) = breaker.admit(at(2_000), Patience::LongPoll) else { panic!("it may go") };
        let probe = granted(&mut breaker, at(2_000));
        assert_eq!(breaker.note(at(9_000), poll, Outcome::Failed), None, "the probe's outcome is what counts");
        assert_eq!(breaker.note(at(9_000), probe, Outcome::Answered), Some(Change::Closed));
    }

    #[test]
    fn outcomes_of_an_earlier_time_change_nothing() {
        let mut breaker = Breaker::new(RULES);
        let late: Vec<_> = (0..4).map(|_| granted(&mut breaker, at(0))).collect();
        for _ in 0..3 {
            let ticket = granted(&mut breaker, at(0));
            breaker.note(at(0), ticket, Outcome::Failed);
        }
        assert_eq!(breaker.note(at(10), late[0], Outcome::Answered), None, "it was sent before the failures");
        assert!(matches!(breaker.admit(at(10), Patience::Prompt), Admission::Refused { .. }));
        let probe = granted(&mut breaker, at(2_000));
        breaker.note(at(2_000), probe, Outcome::Answered);
        for ticket in late {
            assert_eq!(breaker.note(at(2_001), ticket, Outcome::Failed), None);
        }
        granted(&mut breaker, at(2_001));
    }

    #[derive(Clone, Debug)]
    enum Act {
        Wait(u64),
        Call(Patience),
        End(usize, Outcome),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let outcome = prop_oneof![Just(Outcome::Answered), Just(Outcome::Failed), Just(Outcome::Abandoned)];
        let act = prop_oneof![
            (0_u64..1_500).prop_map(Act::Wait),
            prop_oneof![4 => Just(Patience::Prompt), 1 => Just(Patience::LongPoll)].prop_map(Act::Call),
            (0_usize..8, outcome).prop_map(|(which, outcome)| Act::End(which, outcome)),
        ];
        prop::collection::vec(act, 0..120)
    }

    proptest! {
        /// In any order of calls, outcomes and waits: it is never shut for good, and a lone answer reopens the way.
        #[test]
        fn it_refuses_for_a_bounded_time_and_never_has_two_probes(acts in acts()) {
            let mut breaker = Breaker::new(RULES);
            let (mut now, mut under_way) = (Duration::ZERO, Vec::new());
            for act in acts {
                match act {
                    Act::Wait(millis) => now += at(millis),
                    Act::Call(patience) => match breaker.admit(now, patience) {
                        Admission::Granted(ticket) => under_way.push(ticket),
                        Admission::Refused { retry_after } => prop_assert!(retry_after <= RULES.open_for),
                    },
                    Act::End(which, outcome) if !under_way.is_empty() => {
                        let ticket = under_way.remove(which % under_way.len());
                        breaker.note(now, ticket, outcome);
                    }
                    Act::End(..) => {}
                }
                let current = under_way.iter().filter(|ticket| ticket.generation == breaker.generation).count();
                if breaker.state == State::HalfOpen {
                    prop_assert!(current == 1, "exactly its probe is under way: {}", current);
                }
            }
            // Whatever is still under way ends without a word; then one call, answered, closes it.
            for ticket in under_way {
                breaker.note(now, ticket, Outcome::Abandoned);
            }
            let probe = granted(&mut breaker, now + RULES.open_for);
            breaker.note(now + RULES.open_for, probe, Outcome::Answered);
            prop_assert_eq!(breaker.state, State::Closed { failures: 0 });
        }
    }
}
