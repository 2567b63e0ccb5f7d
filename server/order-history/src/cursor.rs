//! A place in a list that is ordered by time of creation, newest first.

use uuid::Uuid;

/// The last item of a page: the next page begins after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) created_at: i64,
    pub(crate) id: Uuid,
}

impl Place {
    /// Before everything.
    pub(crate) const START: Self = Self { created_at: i64::MAX, id: Uuid::max() };

    /// Reads what [`std::fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parse = || {
            let (created_at, id) = text.split_once('.')?;
            Some(Self { created_at: created_at.parse().ok()?, id: Uuid::parse_str(id).ok()? })
        };
        parse().ok_or_else(|| "is not a cursor of this list".to_owned())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.created_at, self.id.simple())
    }
}
