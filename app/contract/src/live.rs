//! The socket `GET /api/live`: JSON text frames.

use crate::{Customer, Order};
use serde::{Deserialize, Serialize};

/// A place in one epoch's feed. The first frame has cursor 1; 0 is the place before it.
pub type Cursor = u64;

/// What a client says: once, first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientFrame {
    /// Where the client left off; both absent on a first visit.
    Hello {
        /// The epoch of the cursor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<String>,
        /// The last frame that the client has applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
}

/// Why a server cannot replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResyncReason {
    /// The client has no cursor yet.
    FirstVisit,
    /// The client's cursor belongs to another epoch.
    EpochChanged,
    /// The frames after the client's cursor are no longer kept.
    Expired,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerFrame {
    /// Everything after the client's cursor follows.
    Resumed {
        /// The feed's epoch.
        epoch: String,
        /// The cursor that the replay starts after: the client's own.
        cursor: Cursor,
    },
    /// The client must read again what it shows; frames after `cursor` follow.
    Resync {
        /// The feed's epoch.
        epoch: String,
        /// What is read from now on includes everything up to here.
        cursor: Cursor,
        /// Why.
        reason: ResyncReason,
    },
    /// An order changed; the view shows it already.
    Order {
        /// This frame's place.
        cursor: Cursor,
        /// The place of the frame before it in this socket's feed.
        prev: Cursor,
        /// The whole document.
        order: Order,
    },
    /// A customer changed; the view shows it already.
    Customer {
        /// This frame's place.
        cursor: Cursor,
        /// The place of the frame before it in this socket's feed.
        prev: Cursor,
        /// The whole document.
        customer: Customer,
    },
    /// The server is there. Sent every 15 s, because a page cannot see the socket's own pings.
    Heartbeat {},
}
