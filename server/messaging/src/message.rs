//! The envelope: what a message carries besides its body.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use tramline_db::UtcMicros;
use uuid::Uuid;

/// Where messages of one kind go. Each channel has one publishing service per stream, and any number of subscribers.
pub type Channel = &'static str;

/// What a message says of itself. Names on the wire are those of the field: `type`, `replyTo`, `sagaId` …
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// The kind of command, reply or event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The channel on which a command's sender awaits the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The saga that sent the command and gets the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_id: Option<Uuid>,
    /// The saga's definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_type: Option<String>,
    /// The command that a reply answers (*Correlation Identifier*, Hohpe and Woolf).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// `done` or `refused`, on a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The aggregate that an event is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate_id: Option<Uuid>,
    /// The version that the event made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate_version: Option<i64>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Names the message for ever, however often it is delivered.
    pub id: Uuid,
    /// Where it goes.
    pub channel: Channel,
    /// Messages with the same key stay in order.
    pub key: Uuid,
    /// What it says of itself.
    pub headers: Headers,
    /// The body, as JSON.
    pub payload: String,
}

/// One partition of a channel as one service publishes it. Its sequence numbers start at 1 and have no gaps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// The publishing service.
    pub source: &'static str,
    /// The channel.
    pub channel: Arc<str>,
    /// 0 up to [`crate::PARTITIONS`].
    pub partition: u16,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.source, self.channel, self.partition)
    }
}

/// A message as it lies in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The place in the stream.
    pub seq: i64,
    /// Names the message.
    pub id: Uuid,
    /// Messages with the same key stay in order.
    pub key: Uuid,
    /// What it says of itself.
    pub headers: Headers,
    /// The body, as JSON.
    pub payload: String,
    /// When the outbox took it.
    pub recorded_at: UtcMicros,
}

/// Records of one stream, in order and without gaps.
pub type Batch = (StreamId, Vec<Arc<Record>>);

/// A place in a stream: the number of the last record that is done with.
pub type Position = (StreamId, i64);

/// The partition of a key. Part of what is stored: it may never change.
#[must_use]
pub fn partition_of(key: Uuid) -> u16 {
    // FNV-1a over the bytes: fixed for ever, and it spreads ids that differ only in their last bits.
    let hash = key
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    u16::try_from((hash ^ (hash >> 32)) % u64::from(crate::PARTITIONS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_partition_of_a_key_never_changes() {
        let golden: Vec<_> = (1..=6).map(|key| partition_of(Uuid::from_u128(key))).collect();
        assert_eq!(golden, GOLDEN);
    }

    const GOLDEN: [u16; 6] = [11, 6, 5, 0, 15, 10];

    #[test]
    fn keys_spread_over_all_partitions() {
        let mut counts = HashMap::new();
        for key in 0..16_000_u128 {
            *counts.entry(partition_of(Uuid::from_u128(key))).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 16);
        assert!(counts.values().all(|count| (700..1_300).contains(count)), "{counts:?}");
    }
}
