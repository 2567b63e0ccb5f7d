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

/// The variable parts of a path in their order, not judged yet.
#[derive(Debug)]
pub struct PathTexts(
    /// The texts, percent-decoded; none when one of them is not UTF-8.
    pub Vec<String>,
);

impl PathTexts {
    /// The part at that place, counted from 0; empty when there is none.
    #[must_use]
    pub fn at(&self, place: usize) -> &str {
        self.0.get(place).map_or("", String::as_str)
    }

    /// The id at that place. A text that is no id names nothing.
    ///
    /// # Errors
    /// 404 of that kind of thing.
    pub fn id<T: FromStr>(&self, place: usize, what: &str) -> Result<T, ApiError> {
        self.at(place).parse().map_err(|_| Problem::not_found(what).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathTexts {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::<Vec<String>>::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(texts)| texts).unwrap_or_default()))
    }
}
