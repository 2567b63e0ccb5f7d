//! `/api/operations/mails`: what customers were told, from the service that tells them.

use super::with_query;
use crate::App;
use axum::Extension;
use axum::extract::State;
use http::Uri;
use std::sync::Arc;
use tramline_contract::{Mail, MailId, MailState, Page};
use tramline_http::{Answer, ApiError, PathId, QueryFields, TraceParent};

/// Finds mails, newest first.
#[utoipa::path(get, path = "/api/operations/mails", tag = "Operations",
    params(
        ("state" = Option<MailState>, Query, description = "Only mails in this state"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of mails", body = Page<Mail>)))]
pub(crate) async fn list_mails(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    query.optional("state", |text| {
        MailState::parse(text).ok_or_else(|| "must be the name of a state of a mail".to_owned())
    });
    query.cursor();
    query.limit();
    query.finish()?;
    Ok(app.services.notifications.get(&with_query("/mails", &uri)).traced(Some(trace)).send().await?)
}

/// Shows a mail.
#[utoipa::path(get, path = "/api/operations/mails/{id}", tag = "Operations",
    params(("id" = String, Path, description = "The order's id, a dot and the version that the mail tells of")),
    responses((status = 200, description = "The mail", body = Mail)))]
pub(crate) async fn show_mail(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    query: QueryFields,
) -> Result<Answer, ApiError> {
    let id: MailId = id.of("mail")?;
    query.finish()?;
    Ok(app.services.notifications.get(&format!("/mails/{id}")).traced(Some(trace)).send().await?)
}

/// Has a mail tried again that was given up.
#[utoipa::path(post, path = "/api/operations/mails/{id}/retry", tag = "Operations",
    params(("id" = String, Path, description = "The order's id, a dot and the version that the mail tells of")),
    responses(
        (status = 202, description = "The mail, which waits again", body = Mail),
        (status = 409, description = "`mail-not-failed`: it was not given up", body = tramline_contract::Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn retry_mail(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    query: QueryFields,
) -> Result<Answer, ApiError> {
    let id: MailId = id.of("mail")?;
    query.finish()?;
    // Told once: the second time it is no longer given up, and the caller should hear that.
    let call = app.services.notifications.post_json(&format!("/mails/{id}/retry"), &serde_json::json!({}));
    app.commands.send(call.traced(Some(trace))).await
}
