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
use tramline_contract::{Page, Saga, SagaDetail, SagaId, SagaState};
use tramline_http::{Answer, ApiError, PathId, QueryFields, TraceParent};

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

fn parse_state(text: &str) -> Result<SagaState, Error> {
    let text: StrDeserializer<Error> = text.into_deserializer();
    SagaState::deserialize(text)
}
