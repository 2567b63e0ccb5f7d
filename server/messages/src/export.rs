//! What the owners of data hand out page by page to whoever builds a view anew without their events (*ETL*).
//!
//! `GET /export?after&limit`, `GET /export/position` and, for a view that has missed an event, `GET /export/{id}` of the customers
//! and the orders service.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Items of a page at most; a page of orders is some 150 KiB then.
pub const EXPORT_LIMIT: i64 = 500;

/// A part of everything that a service owns, in the order of ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportPage<S> {
    /// At most as many as were asked for.
    pub items: Vec<Exported<S>>,
    /// The next page begins after this id; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

/// An aggregate as its events carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported<S> {
    /// Which.
    pub id: Uuid,
    /// The events that made it.
    pub version: i64,
    /// What the event of that version says that it is since.
    pub after: S,
}

/// How far the service's events went when this was answered: whoever then reads every page has all of them, and needs the
/// later ones alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPosition {
    /// The last number of each partition, from 0 on.
    pub last: Vec<i64>,
}
