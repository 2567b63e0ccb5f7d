//! `/api/live`: lets a socket in.

use crate::{App, guard, live};
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::{IntoResponse, Response};
use http::header::UPGRADE;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use tramline_http::problem;

/// Opens a WebSocket that tells every change of an order or customer. The client says hello first.
#[utoipa::path(get, path = "/api/live", tag = "Live",
    responses((status = 101, description = "JSON text frames from here on: hello, then resumed or resync, then order and customer frames")))]
pub(crate) async fn open_socket(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(socket) = socket else {
        let mut response = problem::answer(&problem::upgrade_required());
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        return response;
    };
    // An upgrade is a GET, so the rule for changes does not cover it; yet a page of another site could read all it tells.
    if !guard::same_origin(&headers) {
        return problem::answer(&problem::cross_origin());
    }
    let Some(seat) = app.hub.seat().filter(|_| !app.shutdown.is_cancelled()) else {
        return problem::answer(&problem::overloaded());
    };
    let (hub, pace, shutdown, tasks) = (Arc::clone(&app.hub), app.pace, app.shutdown.clone(), app.tasks.clone());
    live::upgrade(socket)
        .on_upgrade(move |socket| tasks.track_future(live::converse(socket, hub, pace, shutdown, seat)))
        .into_response()
}
