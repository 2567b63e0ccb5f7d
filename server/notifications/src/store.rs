//! Mails in the database.

use crate::delivery::{Verdict, micros};
use std::time::Duration;
use tramline_contract::{MailId, MailState, OrderId, Version};
use tramline_db::{Db, DbError, Tx, UtcMicros, sql, values};
use tramline_messages::notifications::NotifyCustomer;
use uuid::Uuid;

/// How long a sender has for what it took in hand. Past that it counts as gone: longer than a batch can take, see the module
/// `sender`.
pub(crate) const CLAIM: Duration = Duration::from_secs(180);
/// Mails counted at most: beyond that an operator needs no exact number.
const COUNT_MAX: i64 = 10_000;

tramline_db::record! {
    /// A mail that a sender took in hand.
    #[derive(Clone, Debug)]
    pub(crate) struct Claimed {
        pub(crate) order_id: Uuid,
        pub(crate) order_version: i64,
        pub(crate) told: String,
        pub(crate) attempts: i64,
        pub(crate) refusals: i64,
        pub(crate) duplicate_possible: i64,
        pub(crate) created_at: i64,
    }
}

tramline_db::record! {
    /// A mail, for reading.
    #[derive(Clone, Debug)]
    pub(crate) struct Row {
        pub(crate) order_id: Uuid,
        pub(crate) order_version: i64,
        pub(crate) told: String,
        pub(crate) state: String,
        pub(crate) attempts: i64,
        pub(crate) duplicate_possible: i64,
        pub(crate) last_error: Option<String>,
        pub(crate) created_at: i64,
        pub(crate) due_at: Option<i64>,
        pub(crate) sent_at: Option<i64>,
    }
}

impl Claimed {
    pub(crate) const fn id(&self) -> MailId {
        MailId { order_id: OrderId(self.order_id), order_version: Version(self.order_version) }
    }
}

/// Writes down what is to be sent. What is known already stays as it is, whatever became of it. Returns how many are new.
pub(crate) async fn insert(tx: &mut Tx, told: &[NotifyCustomer], now: UtcMicros) -> Result<u64, DbError> {
    let mut rows = Vec::with_capacity(told.len());
    for one in told {
        let text = serde_json::to_string(one).map_err(|error| DbError::corrupt("a command", error))?;
        rows.push(values![one.order_id.0, one.order_version.0, one.about.as_str(), text]);
    }
    let inserted = tx.execute(
        sql("insert into mail (order_id, order_version, about, told, state, attempts, refusals, duplicate_possible, \
             created_at, due_at) \
             select new.order_id, new.order_version, new.about, new.told, 'WAITING', 0, 0, 0, $2, $2 \
             from rows($1: order_id uuid, order_version bigint, about text, told text) as new where true \
             on conflict (order_id, order_version) do nothing")
        .rows(rows)
        .bind(now),
    );
    inserted.await
}

/// Takes in hand what is due, the longest due first, and what a sender that is gone had in hand. A mail waits for the
/// earlier ones of its order. When `may_repeat`, nobody can know whether the sender that is gone had sent what it had.
pub(crate) async fn claim(tx: &mut Tx, may_repeat: bool, limit: i64) -> Result<Vec<Claimed>, DbError> {
    // The clock that all senders share.
    let now = tx.database_now().await?;
    tx.all(
        sql("update mail set state = 'SENDING', attempts = mail.attempts + 1, due_at = $2, \
             duplicate_possible = case when mail.state = 'SENDING' and $3 = 1 then 1 else mail.duplicate_possible end \
             from (select m.order_id, m.order_version, m.attempts from mail as m \
                 where m.due_at <= $1 and m.state in ('WAITING', 'SENDING') and not exists ( \
                     select 1 from mail as earlier where earlier.order_id = m.order_id \
                     and earlier.order_version < m.order_version and earlier.due_at is not null) \
                 order by m.due_at limit $4) as due \
             where mail.order_id = due.order_id and mail.order_version = due.order_version \
             and mail.attempts = due.attempts \
             returning mail.order_id, mail.order_version, mail.told, mail.attempts, mail.refusals, \
             mail.duplicate_possible, mail.created_at")
        .bind(now)
        .bind(now.0.saturating_add(micros(CLAIM)))
        .bind(may_repeat)
        .bind(limit),
    )
    .await
}

/// Writes down what became of what was taken in hand. Whoever took it in hand since is not overruled.
pub(crate) async fn settle(tx: &mut Tx, verdicts: Vec<(Claimed, Verdict)>) -> Result<u64, DbError> {
    let rows = verdicts.into_iter().map(|(mail, verdict)| {
        let doubtful = verdict.duplicate_possible || mail.duplicate_possible == 1;
        values![
            mail.order_id,
            mail.order_version,
            mail.attempts,
            verdict.state.as_str(),
            verdict.due_at,
            verdict.sent_at,
            verdict.refusals,
            doubtful,
            verdict.error,
        ]
    });
    tx.execute(
        sql("update mail set state = new.state, due_at = new.due_at, sent_at = new.sent_at, refusals = new.refusals, \
             duplicate_possible = new.doubtful, last_error = new.error \
             from rows($1: order_id uuid, order_version bigint, attempts bigint, state text, due_at bigint, \
             sent_at bigint, refusals bigint, doubtful bigint, error text) as new \
             where mail.order_id = new.order_id and mail.order_version = new.order_version \
             and mail.attempts = new.attempts and mail.state = 'SENDING'")
        .rows(rows.collect::<Vec<_>>()),
    )
    .await
}

/// Gives up on every sender at once: for the start of a process that has the database to itself.
pub(crate) async fn abandon(tx: &mut Tx) -> Result<u64, DbError> {
    tx.execute(sql("update mail set due_at = 0 where due_at is not null and state = 'SENDING'")).await
}

/// Lets a mail that was given up be tried again. `false` when it is not given up.
pub(crate) async fn retry(tx: &mut Tx, id: MailId) -> Result<bool, DbError> {
    let now = tx.database_now().await?;
    let changed = tx.execute(
        // A new life: its age counts from here.
        sql("update mail set state = 'WAITING', due_at = $3, created_at = $3, refusals = 0 \
             where order_id = $1 and order_version = $2 and state = 'FAILED'")
        .bind(id.order_id.0)
        .bind(id.order_version.0)
        .bind(now),
    );
    Ok(changed.await? == 1)
}

/// One mail.
pub(crate) async fn find(db: &Db, id: MailId) -> Result<Option<Row>, DbError> {
    db.optional(
        sql("select order_id, order_version, told, state, attempts, duplicate_possible, last_error, created_at, due_at, \
             sent_at from mail where order_id = $1 and order_version = $2")
        .bind(id.order_id.0)
        .bind(id.order_version.0),
    )
    .await
}

/// The place of a mail in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) created_at: i64,
    pub(crate) id: MailId,
}

impl Place {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parse = || {
            let (created_at, id) = text.split_once('.')?;
            Some(Self { created_at: created_at.parse().ok()?, id: id.parse().ok()? })
        };
        parse().ok_or_else(|| "is not a cursor of this list".to_owned())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.created_at, self.id)
    }
}

/// Mails, newest first, after a place.
pub(crate) async fn list(
    db: &Db,
    state: Option<MailState>,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    // The texts differ so that each finds the index that was made for it.
    let text = match state {
        None | Some(MailState::Sent) => {
            "select order_id, order_version, told, state, attempts, duplicate_possible, last_error, created_at, due_at, \
             sent_at from mail where (created_at, order_id, order_version) < ($1, $2, $3) and ($4 is null or state = $4) \
             order by created_at desc, order_id desc, order_version desc limit $5"
        }
        Some(MailState::Failed) => {
            "select order_id, order_version, told, state, attempts, duplicate_possible, last_error, created_at, due_at, \
             sent_at from mail where (created_at, order_id, order_version) < ($1, $2, $3) and state = 'FAILED' and state = $4 \
             order by created_at desc, order_id desc, order_version desc limit $5"
        }
        Some(MailState::Waiting | MailState::Sending) => {
            "select order_id, order_version, told, state, attempts, duplicate_possible, last_error, created_at, due_at, \
             sent_at from mail where due_at is not null and (created_at, order_id, order_version) < ($1, $2, $3) \
             and state = $4 order by created_at desc, order_id desc, order_version desc limit $5"
        }
    };
    let (created_at, id, version) = match after {
        Some(place) => (place.created_at, place.id.order_id.0, place.id.order_version.0),
        None => (i64::MAX, Uuid::max(), i64::MAX),
    };
    db.all(sql(text).bind(created_at).bind(id).bind(version).bind(state.map(MailState::as_str)).bind(limit)).await
}

/// How many are not done with, up to [`COUNT_MAX`].
pub(crate) async fn count_open(db: &Db) -> Result<i64, DbError> {
    let row: Option<(i64,)> = db
        .optional(
            sql("select count(*) from (select 1 as one from mail where due_at is not null limit $1) as open")
                .bind(COUNT_MAX),
        )
        .await?;
    Ok(row.map_or(0, |(count,)| count))
}
