//! Reads a request's JSON body within bounds: the right content type, at most 64 KiB, in time, well-formed.
//!
//! What the fields mean is the caller's: [`JsonBody::parse`] hands the value to a parser of the domain.

use crate::problem::{self, ApiError};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use serde_json::Value;
use std::time::Duration;
use tramline_contract::{FieldError, Problem};

/// The largest body that is read; a command has a few hundred bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A client that takes longer than this for 64 KiB is broken or means harm.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// How much of a body that is too large is still read, so that the client hears our answer and not a reset connection.
const DRAIN_BYTES: usize = 4 * 1024 * 1024;

/// How long that reading may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// No caller reads more faults than this, and a hostile body could name thousands.
pub(crate) const MAX_ERRORS: usize = 32;

/// A request body that is JSON of any shape.
#[derive(Debug)]
pub struct JsonBody(
    /// The body as it was sent.
    pub Value,
);

impl JsonBody {
    /// Parses the value into a type of the domain.
    ///
    /// # Errors
    /// 422 with the fields at fault.
    pub fn parse<T>(&self, parse: impl FnOnce(&Value) -> Result<T, Vec<FieldError>>) -> Result<T, ApiError> {
        parse(&self.0).map_err(invalid)
    }
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, mut body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(problem::unsupported_media_type().into());
        }
        let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES as u64) {
            // Whoever waits for "100 Continue" has sent nothing yet and should not start.
            if !parts.headers.contains_key(EXPECT) {
                drain(&mut body).await;
            }
            return Err(problem::body_too_large().into());
        }
        let bytes = tokio::time::timeout(READ_TIMEOUT, read(&mut body))
            .await
            .unwrap_or_else(|_| Err(problem::body_too_slow().into()))?;
        Ok(Self(decode(&bytes)?))
    }
}

/// The 422 of a request whose fields are at fault.
pub(crate) fn invalid(mut errors: Vec<FieldError>) -> ApiError {
    errors.truncate(MAX_ERRORS);
    Problem::invalid(errors).into()
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn read(body: &mut Body) -> Result<Bytes, ApiError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| problem::malformed_json("The body broke off before its end."))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY_BYTES {
            drain(body).await;
            return Err(problem::body_too_large().into());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

async fn drain(body: &mut Body) {
    let reading = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Out of patience or not: the answer is the same.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, reading).await;
}

fn decode(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Well-formed JSON, but a number that no amount or version can be: a bad value, not bad JSON.
        if error.to_string().starts_with("number out of range") {
            let message = "must not hold a number beyond all bounds".to_owned();
            return invalid(vec![FieldError { field: "body".to_owned(), message }]);
        }
        let (line, column) = (error.line(), error.column());
        problem::malformed_json(format!("The body cannot be read as JSON at line {line}, column {column}.")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code(content_type: &str, body: impl Into<Body>) -> Result<Value, String> {
        let request = Request::post("/").header(CONTENT_TYPE, content_type).body(body.into()).expect("it is a request");
        match JsonBody::from_request(request, &()).await {
            Ok(body) => Ok(body.0),
            Err(ApiError::Refused(problem)) => Err(format!("{} {}", problem.status, problem.code)),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn json_is_read_under_each_of_its_names() {
        for name in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert_eq!(code(name, "{}").await, Ok(serde_json::json!({})), "{name}");
        }
        for name in ["text/plain", "application/x-www-form-urlencoded", "json", ""] {
            assert_eq!(code(name, "{}").await, Err("415 unsupported-media-type".to_owned()), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_not_json_is_malformed() {
        let deep = "[".repeat(60_000);
        let bad: [&[u8]; 9] =
            [b"", b"{", b"{\"a\":", b"{}x", b"nul", b"{\"a\":\"\0\"}", b"\"\xff\"", b"\"\\ud800\"", deep.as_bytes()];
        for body in bad {
            assert_eq!(code("application/json", body.to_vec()).await, Err("400 malformed-json".to_owned()), "{body:?}");
        }
    }

    #[tokio::test]
    async fn a_number_beyond_all_bounds_is_a_bad_value() {
        assert_eq!(code("application/json", "{\"total\":1e999}").await, Err("422 invalid-request".to_owned()));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bound_and_no_further() {
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert!(code("application/json", text(MAX_BODY_BYTES)).await.is_ok());
        let refused = Err("413 body-too-large".to_owned());
        assert_eq!(code("application/json", text(MAX_BODY_BYTES + 1)).await, refused);
        let unannounced = Body::from_stream(tokio_stream_of(text(MAX_BODY_BYTES + 1)));
        assert_eq!(code("application/json", unannounced).await, refused);
    }

    fn tokio_stream_of(text: String) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
        let chunks: Vec<_> = text.as_bytes().chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        futures_util::stream::iter(chunks)
    }
}
