//! What an operator can do about parked messages, each in a unit of work that also writes down who did it.

use super::{
    AuditEntry, BodySchema, By, DryRun, ParkedKey, ParkedKind, ParkedMessage, Replay, Turn,
    audit::{self, Deed},
    entry, let_go, lock, waiting,
};
use crate::{HandlerError, Messaging, UnitOfWork};
use std::sync::Arc;
use tramline_db::{Db, DbError, sql};
use uuid::Uuid;

/// How many messages of a key are shown with the one that is looked at: enough to see what waits.
const SHOWN_MAX: i64 = 100;

/// The parked messages of a service's groups. Cheap to clone.
#[derive(Clone)]
pub struct ParkingLot {
    messaging: Messaging,
    groups: Vec<Group>,
}

#[derive(Clone)]
pub(super) struct Group {
    pub(super) name: &'static str,
    bodies: Arc<dyn BodySchema>,
    pub(super) replay: Arc<dyn Replay>,
}

/// Why nothing was mended.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The service has no such group, or nothing of that id is parked there, or not any more.
    #[error("no such message is parked")]
    NotParked,
    /// The body is none of that kind.
    #[error("the body {0}")]
    Body(String),
    /// Somebody else works on the same message.
    #[error("the message was changed meanwhile")]
    Changed,
    /// A store that may answer in a moment.
    #[error(transparent)]
    Store(HandlerError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A parked message and those that wait behind it.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The message.
    pub message: ParkedMessage,
    /// The line of its key, itself included, as far as it is shown.
    pub line: Vec<ParkedMessage>,
}

/// What a skipped message leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// How many messages of its key still wait.
    pub left: i64,
}

impl ParkingLot {
    /// The lot in a service's database, of no group yet.
    #[must_use]
    pub const fn new(messaging: Messaging) -> Self {
        Self { messaging, groups: Vec::new() }
    }

    /// The lot with the messages of a consumer group: how their bodies read, and what handles them again.
    #[must_use]
    pub fn group(mut self, name: &'static str, bodies: impl BodySchema, replay: impl Replay) -> Self {
        self.groups.push(Group { name, bodies: Arc::new(bodies), replay: Arc::new(replay) });
        self
    }

    /// The database that the lot lies in.
    #[must_use]
    pub const fn db(&self) -> &Db {
        self.messaging.db()
    }

    pub(super) const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// The keys that wait, by group and key, after a place in that list; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(
        &self,
        group: Option<&str>,
        after: Option<(&str, Uuid)>,
        limit: u32,
    ) -> Result<Vec<ParkedKey>, DbError> {
        entry::keys(self.db(), group, after.unwrap_or(("", Uuid::nil())), i64::from(limit)).await
    }

    /// How many messages are parked of each kind and for which reason, the most frequent first; at most `limit` rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kinds(&self, limit: u32) -> Result<Vec<ParkedKind>, DbError> {
        entry::kinds(self.db(), i64::from(limit)).await
    }

    /// Shows how many messages each group has parked, as the gauge `tramline_parked_messages`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn measure(&self) -> Result<(), DbError> {
        let counts = entry::counts(self.db()).await?;
        for Group { name, .. } in &self.groups {
            let count = counts.iter().find(|(group, _)| group == name).map_or(0, |(_, count)| *count);
            metrics::gauge!("tramline_parked_messages", "group" => *name).set(count as f64);
        }
        Ok(())
    }

    /// What operators did before the entry of that id, newest first; at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<AuditEntry>, DbError> {
        audit::read(self.db(), before.unwrap_or(Uuid::max()), i64::from(limit)).await
    }

    /// Shows a message with its body, and the line of its key.
    ///
    /// # Errors
    /// [`MendError::NotParked`], or when the database fails.
    pub async fn inspect(&self, group: &str, id: Uuid, by: By) -> Result<Inspected, MendError> {
        let group = self.known(group)?.name;
        let inspected = self.messaging.transact::<_, MendError, _>(None, move |work| {
            Box::pin(async move {
                let message = find(work, group, id).await?;
                let line = entry::line(work.tx, group, message.record.key, SHOWN_MAX).await?;
                audit::write(work, &by, &message, Deed::of("inspect", "shown")).await?;
                Ok(Inspected { message, line })
            })
        });
        inspected.await
    }

    /// Gives a message another body, if that reads as one of its kind. It stays where it is. Returns how many messages of its
    /// key wait.
    ///
    /// # Errors
    /// [`MendError::Body`] with what is wrong, [`MendError::NotParked`], or when the database fails.
    pub async fn edit(&self, group: &str, id: Uuid, payload: String, by: By) -> Result<i64, MendError> {
        let Group { name: group, bodies, .. } = self.known(group)?.clone();
        let edited = self.messaging.transact::<_, MendError, _>(None, move |work| {
            Box::pin(async move {
                let message = take(work, group, id).await?;
                bodies.check(&message.record.headers.kind, &payload).map_err(MendError::Body)?;
                // Every copy of it: one that was sent again is the same message.
                work.tx
                    .execute(
                        sql("update parked_message set payload = $3 where consumer_group = $1 and message_id = $2")
                            .bind(group)
                            .bind(id)
                            .bind(payload.as_str()),
                    )
                    .await?;
                let (before, after) = (Some(message.record.payload.as_str()), Some(payload.as_str()));
                let deed = Deed { action: "edit", outcome: "changed".to_owned(), before, after };
                audit::write(work, &by, &message, deed).await?;
                Ok(waiting(work.tx, group, message.record.key).await?)
            })
        });
        edited.await
    }

    /// Has the handler handle a message, and undoes that. The outer error says that nothing could be tried, the inner one that
    /// the handler refuses.
    ///
    /// # Errors
    /// [`MendError::NotParked`], or when a store fails.
    pub async fn dry_run(&self, group: &str, id: Uuid, by: By) -> Result<Result<DryRun, String>, MendError> {
        let Group { name: group, replay, .. } = self.known(group)?.clone();
        let found = self.messaging.transact::<_, MendError, _>(None, move |work| Box::pin(find(work, group, id)));
        let message = found.await?;
        let outcome = match replay.dry_run(&message.record).await {
            Ok(dry_run) => Ok(dry_run),
            Err(error) if error.may_pass() => return Err(MendError::Store(error)),
            Err(error) => Err(error.to_string()),
        };
        let told = match &outcome {
            Ok(dry_run) => format!("would be handled and send {} messages", dry_run.sends.len()),
            Err(reason) => format!("would fail: {reason}"),
        };
        let written = self.messaging.transact::<_, MendError, _>(None, move |work| {
            Box::pin(async move { Ok(audit::write(work, &by, &message, Deed::of("dry-run", told)).await?) })
        });
        written.await?;
        Ok(outcome)
    }

    /// Takes a message out of the lot for good, unhandled. Its body stays in the audit.
    ///
    /// # Errors
    /// [`MendError::NotParked`], or when the database fails.
    pub async fn skip(&self, group: &str, id: Uuid, by: By) -> Result<Skipped, MendError> {
        let Group { name: group, replay, .. } = self.known(group)?.clone();
        let skipped = self.messaging.transact::<_, MendError, _>(None, move |work| {
            Box::pin(async move {
                let message = take(work, group, id).await?;
                work.tx
                    .execute(
                        sql("delete from parked_message where consumer_group = $1 and message_id = $2")
                            .bind(group)
                            .bind(id),
                    )
                    .await?;
                replay.skipped(work, &message).await?;
                let left = let_go(work.tx, group, message.record.key).await?;
                let deed = Deed { before: Some(&message.record.payload), ..Deed::of("skip", "left the lot unhandled") };
                audit::write(work, &by, &message, deed).await?;
                Ok(Skipped { left })
            })
        });
        skipped.await
    }

    pub(super) fn known(&self, group: &str) -> Result<&Group, MendError> {
        self.groups.iter().find(|known| known.name == group).ok_or(MendError::NotParked)
    }

    pub(super) fn turn(group: &'static str, key: Uuid, by: By) -> Turn {
        Turn { group, key, by }
    }
}

pub(super) async fn find(work: &mut UnitOfWork<'_>, group: &str, id: Uuid) -> Result<ParkedMessage, MendError> {
    entry::find(work.tx, group, id).await?.ok_or(MendError::NotParked)
}

/// Takes the message's key for this transaction, and reads the message as it is then.
async fn take(work: &mut UnitOfWork<'_>, group: &str, id: Uuid) -> Result<ParkedMessage, MendError> {
    let key = find(work, group, id).await?.record.key;
    if !lock(work.tx, group, key).await? {
        return Err(MendError::NotParked);
    }
    find(work, group, id).await
}

impl std::fmt::Debug for ParkingLot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let groups: Vec<_> = self.groups.iter().map(|group| group.name).collect();
        f.debug_struct("ParkingLot")
            .field("database", &self.db().name())
            .field("groups", &groups)
            .finish_non_exhaustive()
    }
}
