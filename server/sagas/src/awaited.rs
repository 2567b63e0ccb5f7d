//! A command whose reply a saga awaits, and when it is due to go out again. Pure.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tramline_db::UtcMicros;
use uuid::Uuid;

/// How often a compensation may be refused before the saga is parked: with the waits below that takes some five minutes, in
/// which whatever holds it up may pass.
pub const COMPENSATION_ATTEMPTS: u32 = 8;
/// The wait after a compensation was refused for the first time. Later ones double.
pub(crate) const REFUSED_WAIT: Duration = Duration::from_secs(2);
/// The longest wait between two tries of a compensation.
pub(crate) const REFUSED_WAIT_MAX: Duration = Duration::from_mins(2);

/// A command that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Awaited {
    pub(crate) step: usize,
    /// Absent while a refused compensation waits for its next try, which is a new command: asked the same again, a participant
    /// would repeat its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<Uuid>,
    /// The key that it was sent with; of a command that an earlier version sent, the definition knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Uuid>,
    /// How often it has been sent.
    sent: u32,
    /// How often the step's compensation has been refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) refusals: u32,
    /// When it is sent again.
    again_at: i64,
    /// When the step is given up instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What is to be done about an awaited command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its time has not come.
    NotYet,
    /// Send the same command again.
    Again,
    /// Send a new command for the same compensation.
    Anew,
    /// The step is given up.
    GiveUp,
}

impl Awaited {
    pub(crate) fn new(step: usize, command: Uuid, key: Uuid, refusals: u32) -> Self {
        Self { step, command: Some(command), key: Some(key), sent: 1, refusals, again_at: i64::MAX, until: None }
    }

    /// Earlier versions kept one command, and no deadline with it.
    pub(crate) const fn of_an_earlier_version(step: usize, command: Uuid, due_at: Option<i64>) -> Self {
        let again_at = match due_at {
            Some(due_at) => due_at,
            None => i64::MAX,
        };
        Self { step, command: Some(command), key: None, sent: 1, refusals: 0, again_at, until: None }
    }

    /// A compensation that was refused: it is tried anew after a while.
    pub(crate) fn refused(step: usize, refusals: u32, now: UtcMicros, wait: Duration) -> Self {
        let again_at = later(now, wait);
        Self { step, command: None, key: None, sent: 1, refusals, again_at, until: None }
    }

    /// Sets when it goes out again, and when the step is given up.
    pub(crate) fn due(mut self, now: UtcMicros, wait: Duration, gives_up_after: Option<Duration>) -> Self {
        self.again_at = later(now, wait);
        self.until = gives_up_after.map(|wait| later(now, wait));
        self
    }

    /// It goes out once more.
    pub(crate) fn sent_again(&mut self, now: UtcMicros, wait: Duration) {
        self.sent = self.sent.saturating_add(1);
        self.again_at = later(now, wait);
    }

    /// How often it has been sent.
    pub(crate) const fn sent(&self) -> u32 {
        self.sent
    }

    /// How often it has been sent again, or was refused: more than 0 is worth a look.
    pub(crate) const fn resent(&self) -> u32 {
        self.sent.saturating_sub(1).saturating_add(self.refusals)
    }

    pub(crate) fn due_at(&self) -> i64 {
        self.until.map_or(self.again_at, |until| until.min(self.again_at))
    }

    pub(crate) fn what_is_due(&self, now: UtcMicros) -> Due {
        match (self.until, self.command) {
            (Some(until), _) if until <= now.0 => Due::GiveUp,
            _ if self.again_at > now.0 => Due::NotYet,
            (_, Some(_)) => Due::Again,
            (_, None) => Due::Anew,
        }
    }
}

fn later(now: UtcMicros, wait: Duration) -> i64 {
    now.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_command_is_due_again_after_its_wait_and_given_up_at_its_end() {
        let awaited = Awaited::new(0, Uuid::nil(), Uuid::nil(), 0).due(UtcMicros(0), SECOND, Some(3 * SECOND));
        let at = |seconds: i64| awaited.what_is_due(UtcMicros(seconds * 1_000_000));
        assert_eq!([at(0), at(1), at(3)], [Due::NotYet, Due::Again, Due::GiveUp]);
        assert_eq!(awaited.due_at(), 1_000_000);
        let mut again = awaited.clone();
        again.sent_again(UtcMicros(1_000_000), 8 * SECOND);
        assert_eq!((again.due_at(), again.resent()), (3_000_000, 1));
    }

    #[test]
    fn a_refused_compensation_is_tried_under_a_new_id() {
        let refused = Awaited::refused(0, 2, UtcMicros(0), SECOND);
        assert_eq!(refused.what_is_due(UtcMicros(999_999)), Due::NotYet);
        assert_eq!(refused.what_is_due(UtcMicros(1_000_000)), Due::Anew);
    }
}
