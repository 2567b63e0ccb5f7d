//! Reads a query parameter by parameter and names every one that is wrong, as `tramline_contract::fields` does for bodies.

use crate::body::invalid;
use crate::problem::ApiError;
use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use std::ops::RangeInclusive;
use std::str::FromStr;
use tramline_contract::FieldError;

/// How many items a list may be asked for.
const LIMITS: RangeInclusive<i64> = 1..=100;
/// How many items a list has when nobody asks.
const DEFAULT_LIMIT: u32 = 20;
/// A cursor is ours and short; anything longer is not one.
const MAX_CURSOR_CHARS: usize = 200;

/// The parameters of one query, and what was wrong with those read so far. A parameter without text counts as absent.
#[derive(Debug)]
pub struct QueryFields {
    pairs: Vec<(String, String)>,
    read: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl QueryFields {
    /// A parameter that may be absent.
    pub fn optional<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.read.push(name);
        let mut given = self.pairs.iter().filter(|(given, _)| given == name);
        let first = given.next();
        let parsed = match (first, given.next()) {
            (_, Some(_)) => Err("must be given once".to_owned()),
            (None, None) => return None,
            (Some((_, text)), None) if text.is_empty() => return None,
            (Some((_, text)), None) => parse(text),
        };
        parsed.map_err(|message| self.errors.push(FieldError { field: name.to_owned(), message })).ok()
    }

    /// A text of at most `max_chars` characters, none of them a control character.
    pub fn text(&mut self, name: &'static str, max_chars: usize) -> Option<String> {
        self.optional(name, |text| {
            if text.chars().count() > max_chars {
                Err(format!("must have at most {max_chars} characters"))
            } else if text.chars().any(char::is_control) {
                Err("must not contain control characters".to_owned())
            } else {
                Ok(text.to_owned())
            }
        })
    }

    /// A UUID.
    pub fn id<T: FromStr>(&mut self, name: &'static str) -> Option<T> {
        self.optional(name, |text| text.parse().map_err(|_| "must be a UUID".to_owned()))
    }

    /// A whole number within `range`.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        self.optional(name, |text| match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ if *range.end() == i64::MAX => Err(format!("must be a whole number from {}", range.start())),
            _ => Err(format!("must be a whole number from {} to {}", range.start(), range.end())),
        })
    }

    /// `limit`: how many items a list may have, 1 to 100, 20 when absent.
    pub fn limit(&mut self) -> u32 {
        self.number("limit", LIMITS).and_then(|limit| u32::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT)
    }

    /// `cursor`: where a list goes on. Only the service that made it can judge its text.
    pub fn cursor(&mut self) -> Option<String> {
        self.text("cursor", MAX_CURSOR_CHARS)
    }

    /// `minVersion`: the version that a read should show.
    pub fn min_version(&mut self) -> Option<i64> {
        self.number("minVersion", 0..=i64::MAX)
    }

    /// Adds a fault, for a rule that only the caller knows.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError { field: name.to_owned(), message: message.into() });
    }

    /// Ends the reading: parameters that nobody read are faults too.
    ///
    /// # Errors
    /// 422 with every fault found.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in self.pairs.iter().filter(|(name, _)| !self.read.contains(&name.as_str())) {
            // A hostile name of any length must not come back whole.
            let field = name.chars().take(64).collect();
            self.errors.push(FieldError { field, message: "is not a known parameter".to_owned() });
        }
        if self.errors.is_empty() { Ok(()) } else { Err(invalid(self.errors)) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryFields {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|_| {
            invalid(vec![FieldError { field: "query".to_owned(), message: "cannot be read".to_owned() }])
        })?;
        Ok(Self { pairs, read: Vec::new(), errors: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tramline_contract::OrderId;

    async fn fields(query: &str) -> QueryFields {
        let request = http::Request::get(format!("/x?{query}")).body(()).expect("it is a request");
        QueryFields::from_request_parts(&mut request.into_parts().0, &()).await.expect("any query can be read")
    }

    fn faults(result: Result<(), ApiError>) -> Vec<String> {
        match result {
            Ok(()) => Vec::new(),
            Err(ApiError::Refused(problem)) => problem.errors.into_iter().map(|error| error.field).collect(),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn parameters_are_read_and_absent_ones_have_their_default() {
        let mut query = fields("q=a%20b&cursor=&minVersion=7").await;
        assert_eq!(query.text("q", 10).as_deref(), Some("a b"));
        assert_eq!((query.cursor(), query.limit(), query.min_version()), (None, 20, Some(7)));
        assert!(query.finish().is_ok());
    }

    #[tokio::test]
    async fn every_parameter_at_fault_is_named() {
        let mut query = fields("limit=101&minVersion=-1&id=me&q=%00&state=A&state=B&colour=red").await;
        let _ = (query.limit(), query.min_version(), query.id::<OrderId>("id"), query.text("q", 10));
        let _ = query.optional("state", |text| Ok(text.to_owned()));
        assert_eq!(faults(query.finish()), ["limit", "minVersion", "id", "q", "state", "colour"]);
    }

    #[tokio::test]
    async fn a_limit_is_a_number_from_1_to_100() {
        for (text, good) in [("1", true), ("100", true), ("0", false), ("101", false), ("1e1", false), ("x", false)] {
            let mut query = fields(&format!("limit={text}")).await;
            query.limit();
            assert_eq!(query.finish().is_ok(), good, "{text}");
        }
    }

    #[tokio::test]
    async fn a_thousand_faults_are_not_all_told() {
        let query = fields(&"a=1&".repeat(1_000)).await;
        assert_eq!(faults(query.finish()).len(), crate::body::MAX_ERRORS);
    }
}
