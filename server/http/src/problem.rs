//! Refusals and failures as answers: the one place where an error becomes a status.
//!
//! Problems of a domain are made where the domain is; here are those of HTTP itself.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use std::error::Error;
use std::time::Duration;
use tramline_contract::Problem;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Nobody is told to stay away for longer than this.
const MAX_RETRY_AFTER_SECONDS: u128 = 60;

/// Why a handler has no answer of its own.
#[derive(Debug)]
pub enum ApiError {
    /// The caller did something that cannot be done; the caller is told what.
    Refused(Box<Problem>),
    /// It cannot be done now; the caller is told when to try again.
    Later {
        /// What is the matter.
        problem: Box<Problem>,
        /// How long to wait; told in whole seconds, at least one.
        retry_after: Duration,
    },
    /// We failed; the log is told what, the caller only that.
    Internal(Box<dyn Error + Send + Sync>),
}

impl ApiError {
    /// A failure of ours. To be named at each place, so that no domain refusal becomes one by a stray `?`.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// What we need cannot be had now, but may be soon, such as a database without a free session: 503 `unavailable`.
    pub fn passing(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        tracing::warn!(error = %Chain(cause.as_ref()), "a request came at a bad moment");
        Problem::unavailable().into()
    }

    /// More is going on than we take on: 503 `overloaded`, to be tried again after so long.
    #[must_use]
    pub fn overloaded(retry_after: Duration) -> Self {
        Self::Later { problem: Box::new(overloaded()), retry_after }
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(problem) => answer(&problem),
            Self::Later { problem, retry_after } => {
                let mut response = answer(&problem);
                let seconds = retry_after.as_millis().div_ceil(1_000).clamp(1, MAX_RETRY_AFTER_SECONDS);
                let seconds = u64::try_from(seconds).unwrap_or(1);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            Self::Internal(cause) => {
                tracing::error!(error = %Chain(cause.as_ref()), "a request failed");
                answer(&Problem::internal())
            }
        }
    }
}

/// The answer that says `problem`. What is busy or away now is worth another try in a second.
#[must_use]
pub fn answer(problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).expect("a problem holds only texts and numbers");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if problem.status == 503 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// 400: the body is not JSON.
#[must_use]
pub fn malformed_json(detail: impl Into<String>) -> Problem {
    Problem::new(400, "malformed-json", "The body is not JSON", detail)
}

/// 404: no such route.
#[must_use]
pub fn no_such_route() -> Problem {
    Problem::not_found("address")
}

/// 405: the route exists, but not with this method.
#[must_use]
pub fn method_not_allowed() -> Problem {
    Problem::new(405, "method-not-allowed", "Method not allowed", "The Allow header names the methods of this address.")
}

/// 408: the body came too slowly.
#[must_use]
pub fn body_too_slow() -> Problem {
    Problem::new(408, "body-too-slow", "The body came too slowly", "Send the body without pauses.")
}

/// 413: the body is larger than [`crate::MAX_BODY_BYTES`].
#[must_use]
pub fn body_too_large() -> Problem {
    Problem::new(413, "body-too-large", "The body is too large", "A body may have at most 65536 bytes.")
}

/// 415: the body says that it is something other than JSON.
#[must_use]
pub fn unsupported_media_type() -> Problem {
    Problem::new(
        415,
        "unsupported-media-type",
        "Unsupported media type",
        "Send JSON, with the header \"Content-Type: application/json\".",
    )
}

/// 403: a page of another origin asked for a change.
#[must_use]
pub fn cross_origin() -> Problem {
    Problem::new(403, "cross-origin", "Not from this origin", "Another site's page may not do this.")
}

/// 421: another process than the caller thinks: the service that it asks for does not run here.
#[must_use]
pub fn service_not_here() -> Problem {
    Problem::new(421, "service-not-here", "Not this process", "The service of that name does not run in this process.")
}

/// 421: the request was meant for a host that this server is not.
#[must_use]
pub fn host_not_allowed() -> Problem {
    Problem::new(
        421,
        "host-not-allowed",
        "Host not allowed",
        "Without sign-in this server answers only to loopback names such as localhost.",
    )
}

/// 426: the address speaks WebSocket only.
#[must_use]
pub fn upgrade_required() -> Problem {
    Problem::new(426, "upgrade-required", "Upgrade required", "This address is a WebSocket.")
}

/// 401: a call between services without a good signature.
#[must_use]
pub fn not_signed_in() -> Problem {
    Problem::new(401, "not-signed-in", "Not signed in", "This address answers only to those who prove who they are.")
}

/// 503: those services do not answer, so nothing was sent to them.
#[must_use]
pub fn service_unavailable(services: &[&str]) -> Problem {
    let detail = match services {
        [service] => format!("The {service} service is not answering. Try again with the same id."),
        several => format!("The services {} are not answering. Try again.", several.join(" and ")),
    };
    Problem::new(503, "service-unavailable", "A service is not available now", detail)
}

/// 503: more is going on than we take on at once.
#[must_use]
pub fn overloaded() -> Problem {
    Problem::new(503, "overloaded", "Too busy now", "Too much is going on at once. Try again with the same id.")
}

/// An error and its causes in one line, each said once.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_ours_answers_500_without_its_cause() {
        let response = ApiError::internal("disk 7 is on fire").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&Problem::internal()).expect("a problem is JSON");
        assert!(!body.contains("fire"));
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn a_caller_is_told_in_whole_seconds_when_to_come_back() {
        for (millis, told) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (3_600_000, "60")] {
            let response = ApiError::overloaded(Duration::from_millis(millis)).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[RETRY_AFTER], told, "{millis}");
        }
    }

    #[test]
    fn a_cause_is_logged_with_its_own_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot save")]
        struct Outer(#[source] std::fmt::Error);
        assert_eq!(Chain(&Outer(std::fmt::Error)).to_string(), format!("cannot save: {}", std::fmt::Error));
    }
}
