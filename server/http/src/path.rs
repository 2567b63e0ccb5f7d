//! An id in a path.

use crate::problem::ApiError;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use std::str::FromStr;
use tramline_contract::Problem;

/// The one variable part of a path, not judged yet.
#[derive(Debug)]
pub struct PathId(
    /// The text, percent-decoded; empty when that text is not UTF-8.
    pub String,
);

impl PathId {
    /// The id that the text names. A text that is no id names nothing, so the answer is the same as for an unknown one.
    ///
    /// # Errors
    /// 404 of that kind of thing.
    pub fn of<T: FromStr>(&self, what: &str) -> Result<T, ApiError> {
        self.0.parse().map_err(|_| Problem::not_found(what).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(text)| text).unwrap_or_default()))
    }
}
