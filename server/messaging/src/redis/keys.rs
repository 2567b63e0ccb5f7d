//! The names of keys and channels, and the scripts that touch them.
//!
//! | name | type | holds |
//! |---|---|---|
//! | `<prefix>:{<partition>}:<source>/<channel>:log` | stream | records, each under its number: `<seq>-0` |
//! | `<prefix>:{<partition>}:<source>/<channel>:state` | hash | `head`, `base`, `epoch`, and when to `trim` next |
//! | `<prefix>:{<partition>}:<source>/<channel>:groups` | hash | per group its position and when it last spoke |
//! | `<prefix>:outbox:<source>` | channel | that an outbox has news |
//! | `<prefix>:log:<source>` | channel | that a log has news; in a cluster only |
//!
//! The braces make a hash tag: in a cluster, all keys of a partition lie on one server, so that a script may touch those
//! of a stream, and one read serves all streams of the partition.

use crate::StreamId;
use tramline_redis::{Call, Script};

/// What the scripts know as `KEYS`, in their order.
pub(super) fn keys(prefix: &str, stream: &StreamId) -> Vec<String> {
    ["log", "state", "groups"].iter().map(|kind| key(prefix, stream, kind)).collect()
}

/// The stream's log.
pub(super) fn log(prefix: &str, stream: &StreamId) -> String {
    key(prefix, stream, "log")
}

fn key(prefix: &str, StreamId { source, channel, partition }: &StreamId, kind: &str) -> String {
    format!("{prefix}:{{{partition}}}:{source}/{channel}:{kind}")
}

/// Where it is said that a source's outbox has news.
pub(super) fn outbox_news(prefix: &str, source: &str) -> String {
    format!("{prefix}:outbox:{source}")
}

/// Where it is said that a log of a source has news.
pub(super) fn log_news(prefix: &str, source: &str) -> String {
    format!("{prefix}:log:{source}")
}

/// The scripts of the broker; each file says what its own does.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) publish: Script,
    pub(super) head: Script,
    pub(super) listen: Script,
    pub(super) committed: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            publish: Script::new(concat!(include_str!("common.lua"), include_str!("publish.lua"))),
            head: Script::new(concat!(include_str!("common.lua"), include_str!("head.lua"))),
            listen: Script::new(concat!(include_str!("common.lua"), include_str!("listen.lua"))),
            committed: Script::new(concat!(include_str!("common.lua"), include_str!("committed.lua"))),
        }
    }
}

/// A run of a script for a stream.
pub(super) fn call(prefix: &str, stream: &StreamId, arguments: Vec<Vec<u8>>) -> Call {
    Call { keys: keys(prefix, stream), arguments }
}
