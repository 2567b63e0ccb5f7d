//! `/api/operations`: what is stuck, for whoever mends it. Every service is asked over its own interface.

use crate::parked::{self, Lot, Place, is_name};
use crate::{App, Services};
use axum::extract::State;
use axum::{Extension, Json};
use std::sync::Arc;
use std::time::Duration;
use tramline_contract::{
    AuditPage, EditParked, MendParked, Mended, ParkedDetail, ParkedKeys, ParkedKinds, Problem, Rehearsal, SkipParked,
};
use tramline_http::{Answer, ApiError, JsonBody, PathTexts, QueryFields, ServiceClient, TraceParent};
use tramline_messages::{mending::Mending, services::SEARCH};
use uuid::Uuid;

/// Without sign-in every caller is this operator.
const OPERATOR: &str = "local";
/// The longest name of a group.
const NAME_MAX_CHARS: usize = 100;
/// How long a mending may take: a retry handles up to 200 messages, each with a commit of its own.
const MEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Finds keys whose messages wait, service by service.
#[utoipa::path(get, path = "/api/operations/parked", tag = "Operations",
    params(
        ("service" = Option<String>, Query, description = "Only of this service"),
        ("group" = Option<String>, Query, description = "Only of this consumer group"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of keys", body = ParkedKeys)))]
pub(crate) async fn list_parked(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    mut query: QueryFields,
) -> Result<Json<ParkedKeys>, ApiError> {
    let lots = lots(&app);
    let only = query.optional("service", |name| {
        let known = lots.iter().find(|lot| lot.name == name);
        known.copied().ok_or_else(|| "is not the name of a service".to_owned())
    });
    let group = query.optional("group", |name| {
        let good = is_name(name) && name.len() <= NAME_MAX_CHARS;
        if good { Ok(name.to_owned()) } else { Err("is not the name of a group".to_owned()) }
    });
    let place =
        query.optional("cursor", |text| Place::parse(text).ok_or_else(|| "is not a cursor of this list".to_owned()));
    let limit = query.limit() as usize;
    query.finish()?;
    let asked = only.map_or_else(|| lots.to_vec(), |only| vec![only]);
    parked::keys(&asked, group.as_deref(), place, limit, trace).await.map(Json)
}

/// Tells how much waits, by kind and reason.
#[utoipa::path(get, path = "/api/operations/parked/kinds", tag = "Operations",
    responses((status = 200, description = "Kinds and reasons", body = ParkedKinds)))]
pub(crate) async fn list_parked_kinds(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    query: QueryFields,
) -> Result<Json<ParkedKinds>, ApiError> {
    query.finish()?;
    parked::kinds(&lots(&app), trace).await.map(Json)
}

/// Finds what operators did to parked messages, newest first.
#[utoipa::path(get, path = "/api/operations/audit", tag = "Operations",
    params(
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of the audit", body = AuditPage)))]
pub(crate) async fn list_audit(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    mut query: QueryFields,
) -> Result<Json<AuditPage>, ApiError> {
    let before =
        query.optional("cursor", |text| text.parse::<Uuid>().map_err(|_| "is not a cursor of this list".to_owned()));
    let limit = query.limit() as usize;
    query.finish()?;
    parked::audit(&lots(&app), before, limit, trace).await.map(Json)
}

/// Shows a message that waits, with its body. The audit tells that it was shown.
#[utoipa::path(get, path = "/api/operations/parked/{service}/{group}/{id}", tag = "Operations",
    params(
        ("service" = String, Path, description = "The service that could not handle it"),
        ("group" = String, Path, description = "The consumer group"),
        ("id" = Uuid, Path, description = "The message")),
    responses((status = 200, description = "The message", body = ParkedDetail)))]
pub(crate) async fn show_parked(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    path: PathTexts,
    query: QueryFields,
) -> Result<Answer, ApiError> {
    query.finish()?;
    mend(&app, &path, "inspect", Mending::default(), trace).await
}

/// Gives a message that waits another body, if its kind reads it.
#[utoipa::path(post, path = "/api/operations/parked/{service}/{group}/{id}/edit", tag = "Operations",
    request_body = EditParked,
    params(
        ("service" = String, Path, description = "The service that could not handle it"),
        ("group" = String, Path, description = "The consumer group"),
        ("id" = Uuid, Path, description = "The message")),
    responses((status = 200, description = "It has the new body", body = Mended)))]
pub(crate) async fn edit_parked(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let EditParked { payload, reason } = body.parse(EditParked::parse)?;
    mend(&app, &path, "edit", Mending { reason, payload: Some(payload), ..Mending::default() }, trace).await
}

/// Has a message that waits handled, and undoes that.
#[utoipa::path(post, path = "/api/operations/parked/{service}/{group}/{id}/dry-run", tag = "Operations",
    request_body = MendParked,
    params(
        ("service" = String, Path, description = "The service that could not handle it"),
        ("group" = String, Path, description = "The consumer group"),
        ("id" = Uuid, Path, description = "The message")),
    responses((status = 200, description = "What would become of it", body = Rehearsal)))]
pub(crate) async fn dry_run_parked(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let MendParked { reason } = body.parse(MendParked::parse)?;
    mend(&app, &path, "dry-run", Mending { reason, ..Mending::default() }, trace).await
}

/// Has the messages of a message's key handled again, in order, until one fails.
#[utoipa::path(post, path = "/api/operations/parked/{service}/{group}/{id}/retry", tag = "Operations",
    request_body = MendParked,
    params(
        ("service" = String, Path, description = "The service that could not handle it"),
        ("group" = String, Path, description = "The consumer group"),
        ("id" = Uuid, Path, description = "A message of the key")),
    responses((status = 200, description = "What became of them", body = Mended)))]
pub(crate) async fn retry_parked(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let MendParked { reason } = body.parse(MendParked::parse)?;
    mend(&app, &path, "retry", Mending { reason, ..Mending::default() }, trace).await
}

/// Never handles a message that waits. Its body stays in the audit.
#[utoipa::path(post, path = "/api/operations/parked/{service}/{group}/{id}/skip", tag = "Operations",
    request_body = SkipParked,
    params(
        ("service" = String, Path, description = "The service that could not handle it"),
        ("group" = String, Path, description = "The consumer group"),
        ("id" = Uuid, Path, description = "The message")),
    responses((status = 200, description = "It is gone", body = Mended)))]
pub(crate) async fn skip_parked(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    path: PathTexts,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let SkipParked { reason } = body.parse(SkipParked::parse)?;
    mend(&app, &path, "skip", Mending { reason: Some(reason), ..Mending::default() }, trace).await
}

/// The parking lots: one in each database that messages have effects in.
fn lots(app: &App) -> [Lot<'_>; 5] {
    let of = |service, at| Lot { name: ServiceClient::name(service), service, at };
    let Services { customers, orders, history, notifications } = &app.services;
    let search = Lot { name: SEARCH, ..of(history, "/search-lot") };
    [of(customers, ""), of(orders, ""), of(history, ""), search, of(notifications, "")]
}

/// Asks the service of the path. An address that names nothing is answered as one whose message is gone.
async fn mend(
    app: &App,
    path: &PathTexts,
    action: &str,
    mending: Mending,
    trace: TraceParent,
) -> Result<Answer, ApiError> {
    let unknown = || ApiError::from(Problem::not_found("parked message"));
    let Lot { service, at, .. } = lots(app).into_iter().find(|lot| lot.name == path.at(0)).ok_or_else(unknown)?;
    let (group, id): (&str, Uuid) = (path.at(1), path.id(2, "parked message")?);
    if !is_name(group) {
        return Err(unknown());
    }
    let mending = Mending { operator: OPERATOR.to_owned(), ..mending };
    let call = service.post_json(&format!("{at}/parked/{group}/{id}/{action}"), &mending);
    Ok(call.within(MEND_TIMEOUT).traced(Some(trace)).send().await?)
}
