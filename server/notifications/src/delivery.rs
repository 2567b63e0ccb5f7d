//! What follows from how a try ended. Pure: time comes in, the mail's next state goes out.

use std::time::Duration;
use tramline_contract::MailState;
use tramline_db::UtcMicros;

/// The wait after the first refusal; it doubles with each.
const BACKOFF_FIRST: Duration = Duration::from_secs(2);
/// The longest wait between two tries: a server that asks us to come back later means minutes, as greylisting does.
const BACKOFF_MAX: Duration = Duration::from_secs(15 * 60);
/// Tries that the server has put off before it is given up: with the waits above some three hours.
const REFUSALS_MAX: i64 = 20;
/// A mail that could not be sent for so long would only confuse: by then the customer knows or has asked.
const AGE_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The mail server took it, or its file is in place.
    Delivered,
    /// It was not tried: the server cannot be reached or takes nobody's mail now. Not this mail's fault.
    NotTried(String),
    /// The server will not have it now (a 4xx reply) and has not taken it.
    PutOff(String),
    /// The server will never have it (a 5xx reply).
    Refused(String),
    /// The whole mail was handed over and nobody knows whether the server took it.
    Unknown(String),
}

/// What a mail is after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) state: MailState,
    /// When it is tried next; `None` when it is not.
    pub(crate) due_at: Option<UtcMicros>,
    pub(crate) sent_at: Option<UtcMicros>,
    /// How often the server has put it off.
    pub(crate) refusals: i64,
    /// Whether the customer may have it twice, once it is sent again.
    pub(crate) duplicate_possible: bool,
    pub(crate) error: Option<String>,
}

/// The verdict on a mail that has waited since `created_at`, and that the server has put off `refusals` times before.
pub(crate) fn verdict(outcome: Outcome, refusals: i64, created_at: UtcMicros, now: UtcMicros) -> Verdict {
    let sent = Verdict {
        state: MailState::Sent,
        due_at: None,
        sent_at: Some(now),
        refusals,
        duplicate_possible: false,
        error: None,
    };
    let failed = |error| Verdict { state: MailState::Failed, sent_at: None, error: Some(error), ..sent.clone() };
    let again = |refusals: i64, wait, duplicate_possible, error: String| {
        if refusals > REFUSALS_MAX || now.0.saturating_sub(created_at.0) > micros(AGE_MAX) {
            return Verdict { refusals, duplicate_possible, ..failed(error) };
        }
        Verdict {
            state: MailState::Waiting,
            due_at: Some(UtcMicros(now.0.saturating_add(micros(wait)))),
            sent_at: None,
            refusals,
            duplicate_possible,
            error: Some(error),
        }
    };
    match outcome {
        Outcome::Delivered => sent,
        Outcome::Refused(error) => failed(error),
        // The sender itself waits for the server to come back, with all of its mails.
        Outcome::NotTried(error) => again(refusals, Duration::ZERO, false, error),
        Outcome::PutOff(error) => again(refusals + 1, backoff(refusals), false, error),
        Outcome::Unknown(error) => again(refusals + 1, backoff(refusals), true, error),
    }
}

/// The wait after so many refusals before.
fn backoff(refusals: i64) -> Duration {
    let doublings = u32::try_from(refusals.clamp(0, 16)).unwrap_or(0);
    BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CREATED: UtcMicros = UtcMicros(1_000_000);
    const SECOND: i64 = 1_000_000;

    fn after(outcome: Outcome, refusals: i64, seconds: i64) -> Verdict {
        verdict(outcome, refusals, CREATED, UtcMicros(CREATED.0 + seconds * SECOND))
    }

    #[test]
    fn a_mail_that_was_taken_is_sent_and_one_that_never_will_be_has_failed() {
        let sent = after(Outcome::Delivered, 3, 5);
        assert_eq!((sent.state, sent.due_at, sent.error), (MailState::Sent, None, None));
        assert_eq!(sent.sent_at, Some(UtcMicros(6 * SECOND)));
        let refused = after(Outcome::Refused("550 no such user".to_owned()), 0, 5);
        assert_eq!((refused.state, refused.due_at, refused.sent_at), (MailState::Failed, None, None));
        assert_eq!(refused.error.as_deref(), Some("550 no such user"));
    }

    #[test]
    fn only_an_unknown_outcome_makes_a_second_copy_possible() {
        let doubtful = |outcome| after(outcome, 0, 1).duplicate_possible;
        assert!(doubtful(Outcome::Unknown(String::new())));
        assert!(!doubtful(Outcome::PutOff(String::new())) && !doubtful(Outcome::NotTried(String::new())));
    }

    #[test]
    fn a_server_that_is_away_fails_no_mail_until_it_is_too_old() {
        let hour = 3_600;
        let waits = after(Outcome::NotTried("away".to_owned()), 0, 71 * hour);
        assert_eq!((waits.state, waits.refusals), (MailState::Waiting, 0));
        assert_eq!(after(Outcome::NotTried("away".to_owned()), 0, 73 * hour).state, MailState::Failed);
    }

    proptest! {
        #[test]
        fn tries_are_put_off_longer_and_longer_and_come_to_an_end(seconds in 0_i64..10_000) {
            let (mut refusals, mut last) = (0, 0);
            for _ in 0..100 {
                let verdict = after(Outcome::PutOff("451 later".to_owned()), refusals, seconds);
                refusals = verdict.refusals;
                let Some(due) = verdict.due_at else {
                    prop_assert_eq!(verdict.state, MailState::Failed);
                    prop_assert_eq!(refusals, REFUSALS_MAX + 1);
                    return Ok(());
                };
                let wait = due.0 - CREATED.0 - seconds * SECOND;
                prop_assert!(wait >= last && wait <= micros(BACKOFF_MAX), "{} after {}", wait, last);
                last = wait;
            }
            prop_assert!(false, "it never ends");
        }
    }
}
