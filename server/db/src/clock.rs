//! Time and identity as things that are handed in. The system's own are the only readers of the real clock.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};
use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem};
use uuid::Uuid;

/// A moment: microseconds since 1970-01-01T00:00:00Z. For display and expiry only; order comes from versions and sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMicros(
    /// The microseconds.
    pub i64,
);

impl UtcMicros {
    /// RFC 3339 in UTC with six decimals; of fixed width, so text order is time order.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        const FORMAT: &[BorrowedFormatItem<'_>] =
            time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .ok()
            .and_then(|moment| moment.to_offset(UtcOffset::UTC).format(FORMAT).ok())
            .unwrap_or_else(|| "9999-12-31T23:59:59.999999Z".to_owned())
    }
}

/// Tells the wall-clock time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> UtcMicros;
}

/// Makes ids that were never used before.
pub trait IdSource: Send + Sync + fmt::Debug {
    /// The next id.
    fn next(&self) -> Uuid;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    fn now(&self) -> UtcMicros {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UtcMicros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Time-ordered UUIDs, version 7 (RFC 9562). Not secret: never a session token.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the one source of real ids")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_a_fixed_width() {
        assert_eq!(UtcMicros(0).to_rfc3339(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(UtcMicros(1_764_000_000_000_001).to_rfc3339(), "2025-11-24T16:00:00.000001Z");
    }

    #[test]
    fn a_moment_out_of_range_does_not_panic() {
        assert_eq!(UtcMicros(i64::MAX).to_rfc3339().len(), 27);
    }
}
