//! The version of an aggregate.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many events an aggregate has had: 1 after the first, raised by exactly 1 with each. 0 means "none seen".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Version(
    /// The count of events.
    pub i64,
);

impl Version {
    /// The version that an aggregate's first event makes.
    pub const FIRST: Self = Self(1);

    /// The version that the next event makes.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
