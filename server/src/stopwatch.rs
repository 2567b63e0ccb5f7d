//! The one reader of the monotonic clock in commands that measure or wait.

use std::time::{Duration, Instant};

/// The present moment of the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "an edge: commands measure how long others take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time since `start`.
pub(crate) fn since(start: Instant) -> Duration {
    now().saturating_duration_since(start)
}
