//! Which orders a list shows, and in which order. The server understands the filter too; the sort is ours.

use crate::route::Query;
use tramline_contract::{CustomerId, OrderState};
use uuid::Uuid;

/// Which orders, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only orders in this state.
    pub state: Option<OrderState>,
    /// Only this customer's orders.
    pub customer: Option<CustomerId>,
    /// Only orders whose customer's name contains this, or whose id begins with it.
    pub search: String,
    /// In which order.
    pub sort: Sort,
}

/// The order of a list. None depends on what changes while an order is decided, so no outcome moves a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Latest first.
    #[default]
    Newest,
    /// Earliest first.
    Oldest,
    /// Largest total first.
    LargestTotal,
    /// Smallest total first.
    SmallestTotal,
}

impl Sort {
    /// Every order, the usual one first.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Oldest, Self::LargestTotal, Self::SmallestTotal];

    /// The name in the URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::LargestTotal => "total-desc",
            Self::SmallestTotal => "total-asc",
        }
    }

    /// What a person reads.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Newest => "Newest first",
            Self::Oldest => "Oldest first",
            Self::LargestTotal => "Largest total",
            Self::SmallestTotal => "Smallest total",
        }
    }

    /// The order of that name; the usual one when there is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).unwrap_or_default()
    }
}

impl OrderFilter {
    /// The filter that a URL asks for.
    #[must_use]
    pub fn from_query(query: &Query) -> Self {
        let state = query.get("status").map(|text| text.to_uppercase().replace('-', "_"));
        Self {
            state: state.and_then(|name| OrderState::parse(&name)),
            customer: query.get("customer").and_then(|text| text.parse().ok()),
            search: query.get("q").unwrap_or_default().to_owned(),
            sort: Sort::parse(query.get("sort").unwrap_or_default()),
        }
    }

    /// The query of a URL that asks for this filter.
    #[must_use]
    pub fn to_query(&self) -> Query {
        let mut query = Query::default();
        query
            .put("status", self.state.map(|state| state.as_str().to_lowercase().replace('_', "-")).unwrap_or_default());
        query.put("customer", self.customer.map(|id| id.to_string()).unwrap_or_default());
        query.put("q", self.search.clone());
        if self.sort != Sort::default() {
            query.put("sort", self.sort.as_str());
        }
        query
    }

    /// Whether it hides anything.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.state.is_some() || self.customer.is_some() || !self.search.trim().is_empty()
    }

    /// Whether it is the other's filter, whatever the sort.
    #[must_use]
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.state == other.state && self.customer == other.customer && self.search.trim() == other.search.trim()
    }
}

/// Text to look for, prepared once for many rows. It finds what the server's search finds, or a list would change with what happens to
/// be loaded: names that contain it, and ids that begin with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needle {
    folded: String,
    /// Without hyphens, as ids are compared.
    digits: String,
}

impl Needle {
    /// Prepares a search text: case and surrounding space make no difference.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let folded = text.trim().to_lowercase();
        Self { digits: folded.replace('-', ""), folded }
    }

    /// Whether there is nothing to look for, so that everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Whether an id begins with it, hyphens or none.
    #[must_use]
    pub fn begins(&self, id: Uuid) -> bool {
        let mut buffer = [0; uuid::fmt::Simple::LENGTH];
        id.simple().encode_lower(&mut buffer).starts_with(&self.digits)
    }

    /// Whether a text contains it.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        // Lower-casing allocates; most names and every id are plain ASCII.
        if text.is_ascii() && self.folded.is_ascii() {
            let needle = self.folded.as_bytes();
            text.len() >= needle.len()
                && text.as_bytes().windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle))
        } else {
            text.to_lowercase().contains(&self.folded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ignores_case_and_outer_space() {
        let needle = Needle::of("  ACm ");
        assert!(needle.is_in("acme") && needle.is_in("The Acme Company") && !needle.is_in("ac me"));
        assert!(Needle::of("é").is_in("CAFÉ"));
        assert!(Needle::of(" ").is_in(""));
    }

    #[test]
    fn an_id_is_found_by_its_beginning() {
        let id = Uuid::parse_str("0195aaaa-bbbb-7ccc-8ddd-eeeeeea3f7c2").expect("it is a UUID");
        assert!(Needle::of("0195AAAA-bb").begins(id) && Needle::of("0195aaaabb").begins(id));
        assert!(!Needle::of("bbbb").begins(id));
    }
}
