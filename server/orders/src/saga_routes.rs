//! Sagas over HTTP, for the operator.

use crate::{routes::failed, service::Orders};
use axum::{Json, extract::State, http::StatusCode};
use serde_json::Value;
use tramline_contract::{
    Page, Problem, RetrySaga, Saga, SagaDetail, SagaId, SagaMessage, SagaState, SagaStep, StepCategory, Timestamp,
    Version,
};
use tramline_db::UtcMicros;
use tramline_http::{ApiError, JsonBody, PathId, QueryFields, TraceParent};
use tramline_sagas::{
    Category, InstanceFilter, InstanceView, LogEntry, Operator, Phase, Retried, find_instance, list_instances,
    list_overdue,
};
use uuid::Uuid;

/// `GET /sagas`.
pub(crate) async fn list(State(orders): State<Orders>, mut query: QueryFields) -> Result<Json<Page<Saga>>, ApiError> {
    let kind = query.text("type", 100);
    let phase = query.optional("state", |text| {
        let known = ["RUNNING", "COMPENSATING", "COMPLETED", "ROLLED_BACK", "PARKED"];
        if known.contains(&text) { Ok(text.to_owned()) } else { Err(format!("must be one of {}", known.join(", "))) }
    });
    let before =
        query.optional("cursor", |text| parse_cursor(text).ok_or_else(|| "is not a cursor of this list".to_owned()));
    let limit = i64::from(query.limit());
    query.finish()?;
    let filter = InstanceFilter { kind, phase, before };
    let found = list_instances(orders.messaging().db(), filter, limit + 1).await;
    Ok(Json(page(found.map_err(|error| failed(error.into()))?, limit)))
}

/// `GET /sagas/overdue`: those whose command went out again because no answer came, oldest first.
pub(crate) async fn overdue(
    State(orders): State<Orders>,
    mut query: QueryFields,
) -> Result<Json<Page<Saga>>, ApiError> {
    let after =
        query.optional("cursor", |text| parse_cursor(text).ok_or_else(|| "is not a cursor of this list".to_owned()));
    let limit = i64::from(query.limit());
    query.finish()?;
    let found = list_overdue(orders.messaging().db(), after, limit + 1).await;
    Ok(Json(page(found.map_err(|error| failed(error.into()))?, limit)))
}

/// `POST /sagas/{id}/retry`: tries the step again at which a parked saga is stuck.
pub(crate) async fn retry(
    State(orders): State<Orders>,
    trace: Option<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<(StatusCode, Json<Saga>), ApiError> {
    let id: SagaId = id.of("saga")?;
    let RetrySaga { operator, reason } = body.parse(RetrySaga::parse)?;
    let operator = Operator { who: operator, why: reason };
    match orders.retry_saga(trace.map(|trace| trace.to_string()), id, operator).await.map_err(failed)? {
        Retried::NotParked => Err(Problem::saga_not_parked().into()),
        Retried::Unknown => Err(Problem::not_found("saga").into()),
        Retried::Resumed => {
            let found = find_instance(orders.messaging().db(), id.0).await.map_err(|error| failed(error.into()))?;
            let Some((instance, _)) = found else { return Err(Problem::not_found("saga").into()) };
            Ok((StatusCode::ACCEPTED, Json(saga(&instance))))
        }
    }
}

/// A page of `limit` runs, of which one more than that was looked for.
fn page(mut found: Vec<InstanceView>, limit: i64) -> Page<Saga> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|last| format!("{}.{}", last.started_at.0, last.id.simple()));
    Page { items: found.iter().map(saga).collect(), next_cursor }
}

/// `GET /sagas/{id}`.
pub(crate) async fn find(State(orders): State<Orders>, id: PathId) -> Result<Json<SagaDetail>, ApiError> {
    let id: SagaId = id.of("saga")?;
    let found = find_instance(orders.messaging().db(), id.0).await.map_err(|error| failed(error.into()))?;
    let Some((instance, log)) = found else { return Err(Problem::not_found("saga").into()) };
    let steps = orders.sagas().steps(&instance).into_iter().map(|step| SagaStep {
        name: step.name.to_owned(),
        category: match step.category {
            Category::Compensatable => StepCategory::Compensatable,
            Category::Pivot => StepCategory::Pivot,
            Category::Retriable => StepCategory::Retriable,
        },
        state: step.state.to_owned(),
    });
    Ok(Json(SagaDetail {
        saga: saga(&instance),
        steps: steps.collect(),
        messages: log.into_iter().map(message).collect(),
    }))
}

fn parse_cursor(text: &str) -> Option<(UtcMicros, Uuid)> {
    let (moment, id) = text.split_once('.')?;
    Some((UtcMicros(moment.parse().ok()?), Uuid::parse_str(id).ok()?))
}

fn saga(instance: &InstanceView) -> Saga {
    Saga {
        id: SagaId(instance.id),
        kind: instance.kind.clone(),
        state: match instance.phase {
            Phase::Running(_) => SagaState::Running,
            Phase::Compensating(_) => SagaState::Compensating,
            Phase::Completed => SagaState::Completed,
            Phase::RolledBack => SagaState::RolledBack,
            Phase::Parked(_) => SagaState::Parked,
        },
        aggregate_id: instance.aggregate_id,
        version: Version(instance.version),
        started_at: timestamp(instance.started_at),
        ended_at: instance.ended_at.map(timestamp),
        due_at: instance.due_at.map(timestamp),
        resent: instance.resent,
    }
}

fn message(entry: LogEntry) -> SagaMessage {
    // What was stored is JSON; anything else is shown as the text that it is.
    let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    SagaMessage {
        id: entry.message_id,
        kind: entry.kind,
        channel: entry.channel,
        at: timestamp(UtcMicros(entry.recorded_at)),
        headers: json(entry.headers),
        payload: json(entry.payload),
    }
}

fn timestamp(moment: UtcMicros) -> Timestamp {
    Timestamp(moment.to_rfc3339())
}
