//! The one reader of the clock in `bench`.

use std::time::{Duration, Instant};

/// The present moment of the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "measuring time is what a benchmark is for")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The time since `start`.
pub(super) fn since(start: Instant) -> Duration {
    now().saturating_duration_since(start)
}
