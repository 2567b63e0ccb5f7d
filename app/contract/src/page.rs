//! Shapes that several answers share.

use crate::Version;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A moment as RFC 3339 text in UTC with six decimals, `2026-01-31T09:30:00.000000Z`. Of fixed width, so text order is time order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timestamp(
    /// The text.
    pub String,
);

/// Part of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// At most `limit` items.
    pub items: Vec<T>,
    /// Give it back as `cursor` to read on; absent on the last page. Its text means nothing to a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The answer to a command that made or changed an aggregate at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Created {
    /// The aggregate.
    pub id: Uuid,
    /// The version that the command made.
    pub version: Version,
}
