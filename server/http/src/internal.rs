//! Serves services to the other processes of the installation: below `/internal/{service}`, to signed calls only.

use crate::problem;
use crate::signature::{Caller, InternalSecret, WallClock, authenticated};
use crate::trace::TraceParent;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tower::ServiceExt;
use tracing::Instrument;
use tramline_contract::Problem;

/// A service that takes longer to say that it is ready is not.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// The services of this process for callers in other processes; [`crate::ServiceClient::internal`] is their counterpart.
///
/// Each service answers for its own addresses alone: a fallback of its router is replaced by 404 `not-found`.
/// Only `/internal/…` is served, so a process with a gateway can merge it with the gateway's router.
pub fn internal(services: Vec<(&str, Router)>, secret: InternalSecret, clock: WallClock) -> Router {
    let mut here = Router::new().fallback(not_here);
    for (service, router) in services {
        let router = router
            .fallback(nowhere)
            .method_not_allowed_fallback(async || problem::answer(&problem::method_not_allowed()));
        here = here.nest(&format!("/{service}"), router);
    }
    // From the outside in: who calls, the net for panics, the service. Addresses that nobody has are guarded too, so that
    // a stranger learns nothing of what there is.
    let nested = Router::new().nest("/internal", here).layer(from_fn(watch));
    authenticated(secret, clock, nested)
}

/// As [`internal`], for a process without a gateway: with `/healthz` and `/readyz` for whoever runs it, unsigned.
pub fn internal_process(services: Vec<(&str, Router)>, secret: InternalSecret, clock: WallClock) -> Router {
    let asked: Vec<_> = services.iter().map(|(service, router)| ((*service).to_owned(), router.clone())).collect();
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(move || readiness(asked.clone())))
        .merge(internal(services, secret, clock))
        .fallback(nowhere)
}

/// Nothing was done, so the caller tries another address.
async fn not_here() -> Response {
    problem::answer(&problem::service_not_here())
}

async fn nowhere() -> Response {
    problem::answer(&problem::no_such_route())
}

async fn readiness(services: Vec<(String, Router)>) -> Response {
    let asked = services.into_iter().map(|(name, router)| async move {
        let request = Request::get("/ready").body(Body::empty());
        let request = request.expect("a constant path is a request");
        let answer = tokio::time::timeout(READY_TIMEOUT, router.oneshot(request)).await;
        (name, matches!(answer, Ok(Ok(answer)) if answer.status().is_success()))
    });
    let asked = join_all(asked).await;
    let ready = asked.iter().all(|(_, ready)| *ready);
    let dependencies: Vec<_> = asked.iter().map(|(name, ready)| json!({ "name": name, "ready": ready })).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "dependencies": dependencies }))).into_response()
}

/// Names the call in the log, and answers for a handler that panics.
async fn watch(request: Request, next: Next) -> Response {
    let trace = TraceParent::of(request.headers()).map(|trace| trace.trace_id());
    let caller = request.extensions().get::<Caller>().map(|caller| caller.name().to_owned());
    let span = tracing::info_span!("call", http.method = %request.method(), caller, trace.id = trace);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    answer.unwrap_or_else(|panic| {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        span.in_scope(|| tracing::error!(error = words.unwrap_or("a panic without words"), "a handler panicked"));
        problem::answer(&Problem::internal())
    })
}
