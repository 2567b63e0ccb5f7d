//! What an operator asks of the process: whether it lives, whether it can serve, and its numbers.

use crate::{App, metrics};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::future::{join, join_all};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tramline_http::ServiceClient;
use utoipa::ToSchema;

/// A dependency that takes longer to say that it is ready is not.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /healthz`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`: a process that cannot answer says nothing.
    status: &'static str,
}

/// `GET /readyz`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether every dependency but `notifications` is ready and the process is not stopping.
    ready: bool,
    /// One entry per dependency.
    dependencies: Vec<Dependency>,
}

/// Something that the gateway needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Dependency {
    /// `customers`, `orders`, `history`, `notifications`, or `feed` for the socket's source.
    name: String,
    /// Whether it can serve.
    ready: bool,
}

/// Says that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "Operations",
    responses((status = 200, description = "The process lives", body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Says whether the process can serve.
#[utoipa::path(get, path = "/readyz", tag = "Operations",
    responses((status = 200, description = "Everything is ready", body = Readiness),
        (status = 503, description = "Something is not ready", body = Readiness)))]
pub(crate) async fn readiness(State(app): State<Arc<App>>) -> Response {
    let services = [&app.services.customers, &app.services.orders, &app.services.history];
    let (mut dependencies, mails) = join(join_all(services.map(ask)), ask(&app.services.notifications)).await;
    dependencies.push(Dependency { name: "feed".to_owned(), ready: app.hub.is_open() });
    let ready = dependencies.iter().all(|dependency| dependency.ready) && !app.shutdown.is_cancelled();
    // Shown, and no reason to send anybody away: without it mails wait in the outbox, and everything else goes on.
    dependencies.push(mails);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, dependencies })).into_response()
}

/// Shows the process's numbers as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "Operations",
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain")))]
pub(crate) async fn show_metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::metrics_text(app.metrics.as_ref()))
}

async fn ask(service: &ServiceClient) -> Dependency {
    let answer = service.get("/ready").within(READY_TIMEOUT).send().await;
    Dependency { name: service.name().to_owned(), ready: answer.is_ok_and(|answer| answer.status.is_success()) }
}
