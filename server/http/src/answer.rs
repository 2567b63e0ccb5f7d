//! A service's answer, whole, as its caller reads it or hands it on.

use crate::client::CallError;
use crate::problem::{ApiError, PROBLEM_JSON};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::de::DeserializeOwned;
use tramline_contract::Problem;

/// The header of a read that is older than the version asked for.
pub const TRAMLINE_STALE: HeaderName = HeaderName::from_static("tramline-stale");

/// The headers that are handed on; all others belong to the hop between caller and service.
const HANDED_ON: [HeaderName; 3] = [CONTENT_TYPE, RETRY_AFTER, TRAMLINE_STALE];

/// What a service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Answer {
    /// The answer, if it grants what was asked.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the service's problem, or [`CallError::Unreadable`] when it explains nothing.
    pub fn granted(self) -> Result<Self, CallError> {
        if self.status.is_success() {
            return Ok(self);
        }
        match self.problem() {
            Some(problem) => Err(CallError::Refused(Box::new(problem))),
            None => Err(CallError::Unexplained(self.status)),
        }
    }

    /// The body as a `T`.
    ///
    /// # Errors
    /// [`CallError::Unreadable`] when it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(CallError::Unreadable)
    }

    /// The problem that the answer tells, if it does.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        if self.is_problem() { self.json().ok() } else { None }
    }

    fn is_problem(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(PROBLEM_JSON.as_bytes()))
    }
}

/// Hands the answer on as it is. An error that is no problem was not meant for a client: it stays here.
impl IntoResponse for Answer {
    fn into_response(mut self) -> Response {
        if !self.status.is_success() && !self.is_problem() {
            return ApiError::internal(CallError::Unexplained(self.status)).into_response();
        }
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        for name in HANDED_ON {
            if let Some(value) = self.headers.remove(&name) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
