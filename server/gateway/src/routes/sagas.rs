//! `/api/sagas`: the runs of sagas, from the service that leads them.

use super::with_query;
use crate::App;
use axum::Extension;
use axum::extract::State;
use http::Uri;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use std::sync::Arc;
use tramline_contract::{Page, Problem, RetrySaga, Saga, SagaDetail, SagaId, SagaState};
use tramline_http::{Answer, ApiError, JsonBody, PathId, QueryFields, TraceParent};

/// A definition's name is a word.
const MAX_TYPE_CHARS: usize = 100;

/// Finds runs of sagas, newest first.
#[utoipa::path(get, path = "/api/sagas", tag = "Sagas",
    params(
        ("type" = Option<String>, Query, description = "Only runs of this definition"),
        ("state" = Option<SagaState>, Query, description = "Only runs in this state"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of runs", body = Page<Saga>)))]
pub(crate) async fn list_sagas(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    query.text("type", MAX_TYPE_CHARS);
    query.optional("state", |text| parse_state(text).map_err(|_| "must be the name of a saga state".to_owned()));
    query.cursor();
    query.limit();
    query.finish()?;
    Ok(app.services.orders.get(&with_query("/sagas", &uri)).traced(Some(trace)).send().await?)
}

/// Shows a run: its steps and its messages in causal order.
#[utoipa::path(get, path = "/api/sagas/{id}", tag = "Sagas",
    params(("id" = SagaId, Path, description = "The run")),
    responses((status = 200, description = "The run", body = SagaDetail)))]
pub(crate) async fn show_saga(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    query: QueryFields,
) -> Result<Answer, ApiError> {
    let id: SagaId = id.of("saga")?;
    query.finish()?;
    Ok(app.services.orders.get(&format!("/sagas/{id}")).traced(Some(trace)).send().await?)
}

/// Shows runs whose command went out again because no answer came, oldest first.
#[utoipa::path(get, path = "/api/operations/sagas/overdue", tag = "Operations",
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of runs; `resent` says how often, `dueAt` when again", body = Page<Saga>)))]
pub(crate) async fn list_overdue_sagas(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    query.cursor();
    query.limit();
    query.finish()?;
    Ok(app.services.orders.get(&with_query("/sagas/overdue", &uri)).traced(Some(trace)).send().await?)
}

/// Tries the step again at which a parked run is stuck. Who wanted it and why stand in the run's messages.
#[utoipa::path(post, path = "/api/operations/sagas/{id}/retry", tag = "Operations", request_body = RetrySaga,
    params(("id" = SagaId, Path, description = "The run")),
    responses((status = 202, description = "The step is under way again", body = Saga),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "`saga-not-parked`: it goes on by itself, or has ended")))]
pub(crate) async fn retry_saga(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let id: SagaId = id.of("saga")?;
    let command = body.parse(RetrySaga::parse)?;
    // Sent once: a second one would find the saga under way and be told of a conflict that is none.
    let call = app.services.orders.post_json(&format!("/sagas/{id}/retry"), &command);
    app.commands.send(call.traced(Some(trace))).await
}

fn parse_state(text: &str) -> Result<SagaState, Error> {
    let text: StrDeserializer<Error> = text.into_deserializer();
    SagaState::deserialize(text)
}
