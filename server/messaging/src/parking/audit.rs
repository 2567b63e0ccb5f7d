//! Who mended what: one row for each thing that an operator did, in the transaction that did it.

use super::ParkedMessage;
use crate::UnitOfWork;
use tramline_db::{Db, DbError, sql};
use uuid::Uuid;

/// Who mends, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The operator's name.
    pub operator: String,
    /// What the operator says about it.
    pub reason: Option<String>,
}

tramline_db::record! {
    /// One thing that an operator did.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct AuditEntry {
        /// Names the entry; later entries have higher ids.
        pub audit_id: Uuid,
        /// When, in microseconds since 1970.
        pub recorded_at: i64,
        /// Who.
        pub operator: String,
        /// `inspect`, `edit`, `dry-run`, `retry` or `skip`.
        pub action: String,
        /// The consumer group.
        pub consumer_group: String,
        /// The message.
        pub message_id: Uuid,
        /// Its key.
        pub message_key: Uuid,
        /// Why, as the operator said.
        pub reason: Option<String>,
        /// What became of it.
        pub outcome: String,
        /// The body before, where it changed or went.
        pub payload_before: Option<String>,
        /// The body after, where it changed.
        pub payload_after: Option<String>,
    }
}

/// What was done and what became of it.
pub(super) struct Deed<'a> {
    pub(super) action: &'static str,
    pub(super) outcome: String,
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
}

impl Deed<'_> {
    pub(super) fn of(action: &'static str, outcome: impl Into<String>) -> Self {
        Self { action, outcome: outcome.into(), before: None, after: None }
    }
}

/// Writes down what an operator did to a message.
pub(super) async fn write(
    work: &mut UnitOfWork<'_>,
    by: &By,
    message: &ParkedMessage,
    deed: Deed<'_>,
) -> Result<(), DbError> {
    let (id, now) = (work.new_id(), work.now);
    let Deed { action, outcome, before, after } = deed;
    let written = work.tx.execute(
        sql("insert into operator_audit (audit_id, recorded_at, operator, action, consumer_group, message_id, message_key, \
             reason, outcome, payload_before, payload_after) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(id)
        .bind(now)
        .bind(by.operator.as_str())
        .bind(action)
        .bind(message.group.as_str())
        .bind(message.record.id)
        .bind(message.record.key)
        .bind(by.reason.clone())
        .bind(outcome)
        .bind(before.map(str::to_owned))
        .bind(after.map(str::to_owned)),
    );
    written.await.map(drop)
}

/// Entries with ids before this one, newest first.
pub(super) async fn read(db: &Db, before: Uuid, limit: i64) -> Result<Vec<AuditEntry>, DbError> {
    db.all(
        sql(
            "select audit_id, recorded_at, operator, action, consumer_group, message_id, message_key, reason, outcome, \
             payload_before, payload_after from operator_audit where audit_id < $1 \
             order by audit_id desc limit $2",
        )
        .bind(before)
        .bind(limit),
    )
    .await
}
