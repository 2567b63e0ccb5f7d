//! The service over HTTP, for the operator.

use crate::{
    service::{Notifications, Retry},
    store::Place,
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use tramline_contract::{Mail, MailId, MailState, Page, Problem};
use tramline_db::DbError;
use tramline_http::{ApiError, PathId, QueryFields};

/// `GET /mails`, `GET /mails/{id}`, `POST /mails/{id}/retry`, `GET /ready`.
pub fn routes(notifications: Notifications) -> Router {
    Router::new()
        .route("/mails", get(list))
        .route("/mails/{id}", get(show))
        .route("/mails/{id}/retry", post(retry))
        .route("/ready", get(ready))
        .with_state(notifications)
}

async fn list(
    State(notifications): State<Notifications>,
    mut query: QueryFields,
) -> Result<Json<Page<Mail>>, ApiError> {
    let state =
        query.optional("state", |text| MailState::parse(text).ok_or_else(|| "is not a state of a mail".to_owned()));
    let after = query.optional("cursor", Place::parse);
    let limit = query.limit();
    query.finish()?;
    notifications.list(state, after, limit).await.map(Json).map_err(failed)
}

async fn show(State(notifications): State<Notifications>, id: PathId) -> Result<Json<Mail>, ApiError> {
    let id: MailId = id.of("mail")?;
    notifications.find(id).await.map_err(failed)?.map(Json).ok_or_else(|| Problem::not_found("mail").into())
}

async fn retry(State(notifications): State<Notifications>, id: PathId) -> Result<(StatusCode, Json<Mail>), ApiError> {
    let id: MailId = id.of("mail")?;
    match notifications.retry(id).await.map_err(failed)? {
        Retry::Waits(mail) => Ok((StatusCode::ACCEPTED, Json(*mail))),
        Retry::Unknown => Err(Problem::not_found("mail").into()),
        Retry::NotFailed(state) => {
            let detail = format!("The mail is {}; only one that has failed can be tried again.", state.as_str());
            Err(Problem::new(409, "mail-not-failed", "The mail has not failed", detail).into())
        }
    }
}

/// A database that is only busy is no fault of ours.
fn failed(error: DbError) -> ApiError {
    if error.may_pass() { ApiError::passing(error) } else { ApiError::internal(error) }
}

/// Ready while commands can be taken. A mail server that is away only makes mails wait.
async fn ready(State(notifications): State<Notifications>) -> StatusCode {
    if notifications.messaging().db().is_there().await { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
