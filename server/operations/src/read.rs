//! What waits, and what was done about it.

use crate::{cursor, failed, shapes};
use axum::{Json, extract::State};
use tramline_contract::{AuditEntry, Page, ParkedKey, ParkedKind};
use tramline_http::{ApiError, QueryFields};
use tramline_messaging::ParkingLot;

/// The longest name of a group.
const GROUP_MAX_CHARS: usize = 100;
/// Kinds and reasons that are told apart; whoever has more of them reads the list of keys.
const KINDS_MAX: u32 = 100;

pub(crate) async fn keys(
    State(lot): State<ParkingLot>,
    mut query: QueryFields,
) -> Result<Json<Page<ParkedKey>>, ApiError> {
    let group = query.text("group", GROUP_MAX_CHARS);
    let after = query.optional("cursor", cursor::parse_key);
    let limit = query.limit();
    query.finish()?;
    let after = after.as_ref().map(|(group, key)| (group.as_str(), *key));
    // One more than asked for tells whether there is a next page.
    let mut found = lot.keys(group.as_deref(), after, limit + 1).await.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|last| cursor::of_key(&last.first.group, last.first.record.key));
    let service = lot.db().name();
    Ok(Json(Page { items: found.iter().map(|key| shapes::key(service, key)).collect(), next_cursor }))
}

pub(crate) async fn kinds(
    State(lot): State<ParkingLot>,
    query: QueryFields,
) -> Result<Json<Vec<ParkedKind>>, ApiError> {
    query.finish()?;
    let found = lot.kinds(KINDS_MAX).await.map_err(failed)?;
    let service = lot.db().name();
    Ok(Json(found.into_iter().map(|kind| shapes::kind(service, kind)).collect()))
}

pub(crate) async fn audit(
    State(lot): State<ParkingLot>,
    mut query: QueryFields,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    let before = query.optional("cursor", cursor::parse_entry);
    let limit = query.limit();
    query.finish()?;
    let mut found = lot.audit(before, limit + 1).await.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|last| last.audit_id.to_string());
    let service = lot.db().name();
    Ok(Json(Page { items: found.into_iter().map(|entry| shapes::entry(service, entry)).collect(), next_cursor }))
}
