//! The worker that looks for sagas whose answer is overdue. It keeps nothing in memory: what is due stands in the database.
//!
//! Several processes may look at once. Each saga is moved in a unit of work of its own under its version, so what two of them
//! do at the same time is done once.

use crate::{Sagas, count_troubled};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tramline_db::{DbError, UtcMicros, sql};
use tramline_messaging::{HandlerError, Messaging};
use uuid::Uuid;

/// How often to look: far shorter than any deadline, and one cheap query.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Sagas at a time: bounds what a look takes when a participant was away for long.
const SAGAS_AT_ONCE: i64 = 100;
/// Looks between two countings of what is parked and overdue.
const COUNT_EVERY: u32 = 5;
/// Counting ends here: an operator needs to know that it is many.
const COUNT_MAX: i64 = 10_000;
/// A saga that could not be moved is looked at again after this, so that it does not stand before the others.
const FAILED_WAIT: Duration = Duration::from_secs(30);

/// Does what is due of the sagas of one service.
pub struct Deadlines {
    messaging: Messaging,
    sagas: Sagas,
}

impl Deadlines {
    /// The deadlines of these sagas, which lie in this database.
    #[must_use]
    pub const fn new(messaging: Messaging, sagas: Sagas) -> Self {
        Self { messaging, sagas }
    }

    /// Looks again and again, until told to stop; a unit of work in progress is finished first.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in 0_u32.. {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.look().await {
                tracing::warn!(error = ?error, "overdue sagas could not be looked for; trying again");
            }
            if look.is_multiple_of(COUNT_EVERY) {
                self.count().await;
            }
        }
    }

    /// Does what is due now, and tells of how many sagas.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&self) -> Result<usize, DbError> {
        let due: Vec<(Uuid, String)> = self
            .messaging
            .db()
            .all(
                sql("select saga_id, saga_type from saga_instance where due_at is not null and due_at <= $1 \
                     order by due_at limit $2")
                .bind(self.messaging.db().now())
                .bind(SAGAS_AT_ONCE),
            )
            .await?;
        let found = due.len();
        for (id, kind) in due {
            match self.move_on(id, kind).await {
                Ok(()) => {}
                // Somebody else has moved it, which is what was wanted.
                Err(HandlerError::Transient(reason)) => tracing::debug!(saga.id = %id, reason, "a saga was not moved"),
                Err(error) if error.may_pass() => return Err(passed_on(error)),
                Err(error) => {
                    tracing::error!(saga.id = %id, error = ?error, "what is due of a saga could not be done; trying again later");
                    self.put_off(id).await?;
                }
            }
        }
        Ok(found)
    }

    async fn move_on(&self, id: Uuid, kind: String) -> Result<(), HandlerError> {
        let sagas = self.sagas.clone();
        let moved = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move {
                match sagas.of_kind(&kind) {
                    Some(saga) => saga.on_deadline(work, id).await,
                    None => Err(HandlerError::Permanent(format!("no saga is called {kind}"))),
                }
            })
        });
        moved.await
    }

    async fn put_off(&self, id: Uuid) -> Result<(), DbError> {
        let wait = i64::try_from(FAILED_WAIT.as_micros()).unwrap_or(i64::MAX);
        let until = UtcMicros(self.messaging.db().now().0.saturating_add(wait));
        let put_off = self.messaging.db().write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                let later = sql("update saga_instance set due_at = $2 where saga_id = $1 and due_at < $2");
                tx.execute(later.bind(id).bind(until)).await
            })
        });
        put_off.await.map(drop)
    }

    async fn count(&self) {
        match count_troubled(self.messaging.db(), COUNT_MAX).await {
            Ok((parked, overdue)) => {
                let database = self.messaging.db().name();
                metrics::gauge!("tramline_sagas_parked", "database" => database).set(parked as f64);
                metrics::gauge!("tramline_sagas_overdue", "database" => database).set(overdue as f64);
            }
            Err(error) => tracing::warn!(error = ?error, "parked and overdue sagas could not be counted"),
        }
    }
}

fn passed_on(error: HandlerError) -> DbError {
    match error {
        HandlerError::Db(error) => error,
        other => DbError::corrupt("a store", other.to_string()),
    }
}
