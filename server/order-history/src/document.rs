//! Documents as they are shown.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tramline_contract::Timestamp;
use tramline_db::UtcMicros;
use tramline_messages::feed::FeedKind;

pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp(UtcMicros(micros).to_rfc3339())
}

/// A document as the feed passes it on.
pub(crate) fn frame<T: Serialize>(kind: FeedKind, document: &T) -> Option<(FeedKind, Box<RawValue>)> {
    to_raw_value(document).ok().map(|raw| (kind, raw))
}
