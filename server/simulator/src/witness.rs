//! Holds every effect that ever happened against the promise: once each, in the order of its stream, none left out.

use std::collections::{HashMap, HashSet};
use tramline_db::{Db, DbError, sql};
use tramline_messaging::StreamId;
use uuid::Uuid;

/// What is known of effects so far.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The last testimony read of each database.
    read: HashMap<&'static str, i64>,
    seen: HashSet<(String, Uuid, i64)>,
    /// How far each group has come in each stream.
    last: HashMap<(String, StreamId), i64>,
}

impl Witness {
    /// Reads what happened since the last time. `stream_of` says where a message lies.
    pub(crate) async fn look(
        &mut self,
        db: &Db,
        stream_of: impl Fn(Uuid, i64) -> Option<StreamId>,
    ) -> Result<Vec<String>, DbError> {
        let since = self.read.entry(db.name()).or_default();
        let rows: Vec<(i64, String, Uuid, i64)> = db
            .all(
                sql("select place, consumer_group, message_id, seq from simulated_effect where place > $1 order by place")
                    .bind(*since),
            )
            .await?;
        let mut wrong = Vec::new();
        for (place, group, id, seq) in rows {
            *since = place;
            let Some(stream) = stream_of(id, seq) else {
                wrong.push(format!("group {group} handled a message that was never published: {id}"));
                continue;
            };
            if !self.seen.insert((group.clone(), id, seq)) {
                wrong.push(format!("group {group} handled message {seq} of stream {stream} twice"));
                continue;
            }
            let last = self.last.entry((group.clone(), stream.clone())).or_default();
            if seq != *last + 1 {
                wrong.push(format!("group {group} handled message {seq} of stream {stream} after message {last}"));
            }
            *last = seq;
        }
        Ok(wrong)
    }

    /// How far a group has come in a stream, by its effects.
    pub(crate) fn last(&self, group: &str, stream: &StreamId) -> i64 {
        self.last.get(&(group.to_owned(), stream.clone())).copied().unwrap_or(0)
    }
}
