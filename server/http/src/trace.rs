//! The W3C trace context that a request carries from browser to gateway to service, and from there into messages.

use axum::extract::OptionalFromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{convert::Infallible, fmt};

/// The header's name.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A `traceparent`: which trace a request belongs to and which span asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceParent {
    /// A new trace, sampled. The caller brings 16 bytes that no other trace has; a UUID will do.
    #[must_use]
    pub fn from_unique(bytes: [u8; 16]) -> Self {
        // W3C forbids zero for either id; a UUID's version and variant bits keep both above it, and `| 1` keeps the promise
        // for other sources.
        let trace_id = u128::from_be_bytes(bytes) | 1;
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the random half of a UUID")]
        let span_id = trace_id as u64;
        Self { trace_id, span_id, flags: 1 }
    }

    /// Reads a header's text. What is malformed counts as absent, as the standard asks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = text.splitn(5, '-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let shaped = lower_hex(version, 2)
            && lower_hex(trace, 32)
            && lower_hex(span, 16)
            && lower_hex(flags, 2)
            && version != "ff";
        // Version 00 ends here; a later one may go on.
        if !shaped || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace_id, span_id, flags: u8::from_str_radix(flags, 16).ok()? })
    }

    /// The trace of a request with these headers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(TRACEPARENT)?.to_str().ok()?)
    }

    /// The same trace, asked for by another span. The caller brings an id that no other span of the trace has.
    #[must_use]
    pub fn child(self, span_id: u64) -> Self {
        Self { span_id: span_id.max(1), ..self }
    }

    /// The trace's id as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The id of the span that asks.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).expect("hexadecimal digits and dashes are a header value")
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for TraceParent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_survives_reading_and_writing() {
        assert_eq!(TraceParent::parse(GOOD).expect("it is good").to_string(), GOOD);
    }

    #[test]
    fn a_child_keeps_the_trace() {
        let child = TraceParent::parse(GOOD).expect("it is good").child(7);
        assert_eq!(child.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
    }

    #[test]
    fn what_is_malformed_counts_as_absent() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn even_bytes_of_zero_make_a_trace_that_can_be_read_back() {
        let made = TraceParent::from_unique([0; 16]);
        assert_eq!(TraceParent::parse(&made.to_string()), Some(made));
    }
}
