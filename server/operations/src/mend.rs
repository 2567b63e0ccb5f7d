//! What an operator does about a parked message.

use crate::{failed, shapes};
use axum::{Json, extract::State};
use tramline_contract::{FieldError, Mended, ParkedDetail, Problem, Rehearsal};
use tramline_http::{ApiError, JsonBody, PathTexts};
use tramline_messages::mending::Mending;
use tramline_messaging::{By, MendError, ParkingLot, Skipped};
use uuid::Uuid;

pub(crate) async fn inspect(
    State(lot): State<ParkingLot>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Json<ParkedDetail>, ApiError> {
    let (group, id) = address(&path)?;
    let found = lot.inspect(group, id, by(asked(&body)?)).await.map_err(refused)?;
    Ok(Json(shapes::detail(lot.db().name(), &found)))
}

pub(crate) async fn edit(
    State(lot): State<ParkingLot>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Json<Mended>, ApiError> {
    let (group, id) = address(&path)?;
    let mut mending = asked(&body)?;
    let payload = mending.payload.take().ok_or_else(|| invalid("payload", "is required"))?;
    let left = lot.edit(group, id, payload.to_string(), by(mending)).await.map_err(refused)?;
    Ok(Json(Mended { left, ..Mended::default() }))
}

pub(crate) async fn dry_run(
    State(lot): State<ParkingLot>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Json<Rehearsal>, ApiError> {
    let (group, id) = address(&path)?;
    let outcome = lot.dry_run(group, id, by(asked(&body)?)).await.map_err(refused)?;
    Ok(Json(shapes::rehearsal(outcome)))
}

pub(crate) async fn retry(
    State(lot): State<ParkingLot>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Json<Mended>, ApiError> {
    let (group, id) = address(&path)?;
    let retried = lot.retry(group, id, by(asked(&body)?)).await.map_err(refused)?;
    Ok(Json(shapes::mended(retried)))
}

pub(crate) async fn skip(
    State(lot): State<ParkingLot>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Json<Mended>, ApiError> {
    let (group, id) = address(&path)?;
    let mending = asked(&body)?;
    if mending.reason.is_none() {
        return Err(invalid("reason", "is required"));
    }
    let Skipped { left } = lot.skip(group, id, by(mending)).await.map_err(refused)?;
    Ok(Json(Mended { left, ..Mended::default() }))
}

fn address(path: &PathTexts) -> Result<(&str, Uuid), ApiError> {
    Ok((path.at(0), path.id(1, "parked message")?))
}

/// What a gateway asks for. It has judged what an operator wrote, so no more is said of a fault than that there is one.
fn asked(body: &JsonBody) -> Result<Mending, ApiError> {
    let asked = serde_json::from_value::<Mending>(body.0.clone());
    asked.map_err(|_| invalid("body", "must name the operator, and besides only reason and payload"))
}

fn by(Mending { operator, reason, .. }: Mending) -> By {
    By { operator, reason }
}

fn refused(error: MendError) -> ApiError {
    match error {
        MendError::NotParked => Problem::not_found("parked message").into(),
        MendError::Body(reason) => invalid("payload", &reason),
        MendError::Changed => {
            let detail = "Somebody else mends the same message. Look at it again, then decide.";
            Problem::new(409, "parked-changed", "The message has changed meanwhile", detail).into()
        }
        MendError::Store(error) => ApiError::passing(error),
        MendError::Db(error) => failed(error),
    }
}

fn invalid(field: &str, message: &str) -> ApiError {
    Problem::invalid(vec![FieldError { field: field.to_owned(), message: message.to_owned() }]).into()
}
