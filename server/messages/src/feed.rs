//! The feed of the view: every change of a document, in order, as each gateway reads it by long poll.
//!
//! `GET /feed?epoch&after&waitMs` of the history service. It says nothing of how the view keeps it or how a gateway serves it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a document in the feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedKind {
    /// A `tramline_contract::Order`.
    Order,
    /// A `tramline_contract::Customer`.
    Customer,
}

/// One change: the whole document as the view shows it since.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedItem {
    /// Its place in the epoch; the first is 1.
    pub cursor: u64,
    /// What the document is.
    pub kind: FeedKind,
    /// The document as JSON, written once and passed on as it is.
    pub document: Box<RawValue>,
}

/// The answer to one poll.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedBatch {
    /// Names this life of the feed, in letters, digits and dashes. With another epoch every cursor means something else.
    pub epoch: String,
    /// The newest place.
    pub head: u64,
    /// The oldest place that is still kept; `head + 1` when none is.
    pub oldest: u64,
    /// What came after the place that was asked for, in order. Empty when nothing came in time, or when the caller's
    /// epoch is not this one.
    pub items: Vec<FeedItem>,
}
