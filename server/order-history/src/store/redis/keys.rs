//! The names of keys, and the scripts that touch them.
//!
//! | name | type | holds |
//! |---|---|---|
//! | `<prefix>:{view}:root` | hash | `current`: the generation that is read; `building`: one to be; `retired:<generation>` |
//! | `<prefix>:{view}:<generation>:customer:<id>` | hash | a customer, with the `order_count` |
//! | `<prefix>:{view}:<generation>:order:<id>` | hash | an order |
//! | `<prefix>:{view}:<generation>:customers` | sorted set | the places of all customers |
//! | `<prefix>:{view}:<generation>:orders` | sorted set | the places of all orders |
//! | `<prefix>:{view}:<generation>:orders:<STATE>` | sorted set | of those in a state |
//! | `<prefix>:{view}:<generation>:customer:<id>:orders` | sorted set | of those of a customer |
//! | `<prefix>:{view}:<generation>:offsets` | hash | per stream the offset and the epoch of its newest owner |
//! | `<prefix>:{view}:<generation>:feed` | stream | which document changed, under its cursor: `<cursor>-0` |
//! | `<prefix>:{view}:<generation>:state` | hash | `head` of the feed; `home`: who gave out the epochs |
//! | `<prefix>:{view}:news` | channel | generation and head, whenever either changes |
//!
//! The braces make a hash tag. A batch touches documents and lists of any customers, and a script may only touch keys of one
//! tag: so the whole view lies on one server of a cluster.

use crate::cursor::Place;
use tramline_messaging::StreamId;
use tramline_redis::{Call, Script};
use uuid::Uuid;

/// The names outside of generations.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) root: String,
    pub(super) news: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { root: format!("{prefix}:{{view}}:root"), news: format!("{prefix}:{{view}}:news") }
    }

    pub(super) fn call(&self, arguments: Vec<Vec<u8>>) -> Call {
        Call { keys: vec![self.root.clone()], arguments }
    }

    /// A key of a generation, for the few commands that need no script.
    pub(super) fn of(&self, generation: &str, name: &str) -> String {
        let prefix = self.root.strip_suffix("root").unwrap_or(&self.root);
        format!("{prefix}{generation}:{name}")
    }
}

/// The name of a stream in `offsets`.
pub(super) fn stream(stream: &StreamId) -> String {
    stream.to_string()
}

/// A place as a member of a list; see `place` in `common.lua`.
pub(super) fn member(Place { created_at, id }: Place) -> String {
    // Sixteen digits hold every moment until the year 2286; a cursor from beyond stands before everything.
    format!("{:016}{}", created_at.min(9_999_999_999_999_999), id.simple())
}

/// Reads what [`member`] wrote.
pub(super) fn place(member: &str) -> Option<Place> {
    let (created_at, id) = member.split_at_checked(16)?;
    Some(Place { created_at: created_at.parse().ok()?, id: Uuid::try_parse(id).ok()? })
}

/// The scripts of the view; each file says what its own does.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) read: Script,
    pub(super) list: Script,
    pub(super) look: Script,
    pub(super) claim: Script,
    pub(super) apply: Script,
    pub(super) begin: Script,
    pub(super) swap: Script,
    pub(super) drop: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        macro_rules! script {
            ($($file:literal),+) => { Script::new(concat!(include_str!("common.lua"), $(include_str!($file)),+)) };
        }
        Self {
            read: script!("documents.lua", "read.lua"),
            list: script!("documents.lua", "list.lua"),
            look: script!("documents.lua", "look.lua"),
            claim: script!("claim.lua"),
            apply: script!("documents.lua", "apply.lua"),
            begin: script!("begin.lua"),
            swap: script!("swap.lua"),
            drop: script!("drop.lua"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_the_order_of_places() {
        let places = [(-1, 9), (0, 0), (1, 7), (1, 8), (1_764_000_000_000_000, 0), (i64::MAX, u128::MAX)];
        let members: Vec<_> =
            places.iter().map(|(at, id)| member(Place { created_at: *at, id: Uuid::from_u128(*id) })).collect();
        assert!(members.is_sorted(), "{members:?}");
        assert!(members.iter().all(|member| member.len() == 48));
        assert_eq!(place(&members[3]), Some(Place { created_at: 1, id: Uuid::from_u128(8) }));
    }
}
