//! What every request passes on its way in and every answer on its way out: admission by host and origin, the trace, a net
//! for panics, security headers, and the measure taken of it.
//!
//! One layer instead of seven, because each boxes a future. It must not know what any route does.

use crate::guard::{self, HostRule};
use crate::{NewId, headers, metrics};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::HeaderMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;
use tramline_contract::Problem;
use tramline_http::{TraceParent, problem};

/// An answer that took longer is worth a line in the log.
const SLOW: Duration = Duration::from_secs(1);

/// What the edge needs to know.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) hosts: HostRule,
    pub(crate) new_id: NewId,
}

/// The layer. Handlers find the request's [`TraceParent`] among its extensions.
#[expect(clippy::disallowed_methods, reason = "this is the edge, and it measures only how long an answer takes")]
pub(crate) async fn edge(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = metrics::method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let trace = trace(request.headers(), &edge.new_id);
    request.extensions_mut().insert(trace);
    let span = tracing::info_span!("request", http.method = method, http.route = route, trace.id = trace.trace_id());

    let mut response = match guard::admit(edge.hosts, request.method(), request.uri(), request.headers()) {
        Ok(()) => {
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
            answer.unwrap_or_else(|panic| span.in_scope(|| explain(panic.as_ref())))
        }
        Err(refusal) => problem::answer(&refusal),
    };
    headers::harden(&mut response);

    let took = started.elapsed();
    metrics::request(method, route, response.status(), took);
    if took >= SLOW {
        let status = response.status().as_u16();
        span.in_scope(|| tracing::info!(http.status = status, took_ms = took.as_millis(), "a request was slow"));
    }
    response
}

/// The trace that the caller began, or a new one.
fn trace(headers: &HeaderMap, new_id: &NewId) -> TraceParent {
    let fresh = TraceParent::from_unique(new_id().into_bytes());
    TraceParent::of(headers).map_or(fresh, |given| given.child(fresh.span_id()))
}

/// A panic is a bug of ours: its words go to the log, and the caller hears only that we failed.
fn explain(panic: &(dyn std::any::Any + Send)) -> Response {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(error = words.unwrap_or("a panic without words"), "a handler panicked");
    problem::answer(&Problem::internal())
}
