//! The saga's log: everything that was sent, received and done by hand, in causal order. Only ever appended to.

use tramline_db::{DbError, sql, values};
use tramline_messaging::{HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// The channel of what happens in the saga's own database.
pub(crate) const LOCAL: &str = "local";

/// A log entry that is not written yet.
pub(crate) struct NewEntry {
    /// `command`, `command-again`, `reply`, `late-reply`, `gave-up` or `operator`; of a saga that nobody leads `event`,
    /// `repetition` or `departure`.
    pub(crate) kind: &'static str,
    pub(crate) channel: String,
    pub(crate) message_id: Uuid,
    pub(crate) headers: Headers,
    pub(crate) payload: String,
}

impl NewEntry {
    pub(crate) fn reply(channel: &str, reply: &Record) -> Self {
        Self::of(reply, "reply", channel)
    }

    pub(crate) fn of(message: &Record, kind: &'static str, channel: &str) -> Self {
        Self {
            kind,
            channel: channel.to_owned(),
            message_id: message.id,
            headers: message.headers.clone(),
            payload: message.payload.clone(),
        }
    }
}

/// Writes the entries that a transition made.
pub(crate) async fn append(work: &mut UnitOfWork<'_>, id: Uuid, log: Vec<NewEntry>) -> Result<(), DbError> {
    if log.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = log
        .into_iter()
        .enumerate()
        .map(|(index, entry)| {
            let headers = serde_json::to_string(&entry.headers).unwrap_or_default();
            let number = i64::try_from(index + 1).unwrap_or(i64::MAX);
            values![number, entry.kind, entry.channel, entry.message_id, headers, entry.payload]
        })
        .collect();
    work.tx
        .execute(
            sql("insert into saga_log (saga_id, entry_no, kind, channel, message_id, headers, payload, recorded_at) \
                 select $2, new.number + coalesce((select max(entry_no) from saga_log where saga_id = $2), 0), \
                 new.kind, new.channel, new.message_id, new.headers, new.payload, $3 \
                 from rows($1: number bigint, kind text, channel text, message_id uuid, headers text, payload text) as new")
            .rows(rows)
            .bind(id)
            .bind(work.now),
        )
        .await?;
    Ok(())
}

/// Writes down a reply that no saga awaits: it is kept for the operator and changes nothing.
pub(crate) async fn append_late_reply(work: &mut UnitOfWork<'_>, id: Uuid, entry: NewEntry) -> Result<(), DbError> {
    let now = work.now;
    work.tx
        .execute(
            sql("insert into saga_log (saga_id, entry_no, kind, channel, message_id, headers, payload, recorded_at) \
                 select $1, coalesce(max(entry_no), 0) + 1, $2, $3, $4, $5, $6, $7 from saga_log where saga_id = $1")
            .bind(id)
            .bind(entry.kind)
            .bind(entry.channel)
            .bind(entry.message_id)
            .bind(serde_json::to_string(&entry.headers).unwrap_or_default())
            .bind(entry.payload)
            .bind(now),
        )
        .await?;
    Ok(())
}

/// A command as it went out first: its headers and body.
pub(crate) async fn find_command(
    work: &mut UnitOfWork<'_>,
    id: Uuid,
    command: Uuid,
) -> Result<(Headers, String), HandlerError> {
    let row: Option<(String, String)> = work
        .tx
        .optional(
            sql("select headers, payload from saga_log \
                 where saga_id = $1 and message_id = $2 and kind = 'command' order by entry_no limit 1")
            .bind(id)
            .bind(command),
        )
        .await?;
    let (headers, payload) =
        row.ok_or_else(|| DbError::corrupt("a saga's log", format!("the command {command} is missing")))?;
    let headers = serde_json::from_str(&headers).map_err(|error| DbError::corrupt("message headers", error))?;
    Ok((headers, payload))
}
