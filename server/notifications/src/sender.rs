//! Brings what is due to the mail server and writes down what became of it.
//!
//! A mail is `SENDING` before it is sent and `SENT` after; between the two lies the one moment that no transaction spans. Of
//! what a sender had in hand when it died nobody knows whether it went out. It is sent again, under the same `Message-ID`, and
//! marked so that an operator sees it; into files it goes once, since its file has its name. Senders of several processes
//! may work on one database: taking in hand is a conditional update, so each mail is in one hand.

use crate::{
    delivery::{Outcome, Verdict, verdict},
    letter::{self, Letter},
    service::Notifications,
    store::{self, Claimed},
    transport::Transport,
};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tramline_contract::{MailId, MailState};
use tramline_db::{DbError, UtcMicros};
use tramline_messages::notifications::NotifyCustomer;

/// Mails taken in hand at once: enough to share the commits and the wait for the disk.
const BATCH: i64 = 256;
/// How often it looks for what has become due without anybody saying so.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The first wait when nothing could be brought to the server; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// A server that comes back is found again so soon.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Sends the service's mails.
#[derive(Debug)]
pub struct Sender {
    notifications: Notifications,
    transport: Transport,
}

/// How a round went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing was due.
    Idle,
    /// Something was sent or refused.
    Done,
    /// The server, or the database, is away.
    Away,
}

impl Sender {
    /// A sender by this transport.
    #[must_use]
    pub const fn new(notifications: Notifications, transport: Transport) -> Self {
        Self { notifications, transport }
    }

    /// For a process that has the database to itself: what is in hand at its start is in nobody's hand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alone(self) -> Result<Self, DbError> {
        let db = self.notifications.messaging().db();
        db.write::<_, DbError, _>(|tx| Box::pin(async move { store::abandon(tx).await })).await?;
        Ok(self)
    }

    /// Sends until told to stop; what is being sent then is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = PAUSE_FIRST;
        while !stop.is_cancelled() {
            let round = self.round(&stop).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the mails could not be read; trying again");
                Round::Away
            });
            self.count().await;
            if round != Round::Away {
                pause = PAUSE_FIRST;
            }
            match round {
                Round::Done => {}
                Round::Idle => {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.notifications.news() => {}
                        () = sleep(LOOK_EVERY) => self.transport.rest().await,
                    }
                }
                Round::Away => {
                    stop.run_until_cancelled(sleep(pause)).await;
                    pause = pause.saturating_mul(2).min(PAUSE_MAX);
                }
            }
        }
        self.transport.close().await;
    }

    /// One round of [`Sender::run`], for whoever leads it step by step.
    ///
    /// # Errors
    /// When the database fails. What was in hand then stays there until its claim has passed, or until [`Sender::alone`].
    pub async fn once(&mut self) -> Result<(), DbError> {
        self.round(&CancellationToken::new()).await.map(drop)
    }

    /// Takes in hand, sends, writes down.
    async fn round(&mut self, stop: &CancellationToken) -> Result<Round, DbError> {
        let db = self.notifications.messaging().db().clone();
        let may_repeat = self.transport.may_repeat();
        let claimed =
            db.write::<_, DbError, _>(move |tx| Box::pin(async move { store::claim(tx, may_repeat, BATCH).await }));
        let claimed = claimed.await?;
        if claimed.is_empty() {
            return Ok(Round::Idle);
        }
        let (letters, unwritten) = self.write(&claimed);
        let mut outcomes = self.transport.deliver(letters, stop).await;
        outcomes.extend(unwritten);
        let away = outcomes.iter().find_map(|(_, outcome)| match outcome {
            Outcome::NotTried(reason) if !stop.is_cancelled() => Some(reason.clone()),
            _ => None,
        });
        let any_tried = outcomes.iter().any(|(_, outcome)| !matches!(outcome, Outcome::NotTried(_)));
        let verdicts = judge(claimed, &outcomes, db.now());
        tell(&verdicts);
        // Until this is written the mails are in our hands; what is sent must not be forgotten for a database that is busy.
        settle(&self.notifications, verdicts).await?;
        if let Some(reason) = away.filter(|_| !any_tried) {
            tracing::warn!(reason, "mails wait: none can be sent now");
            return Ok(Round::Away);
        }
        Ok(Round::Done)
    }

    /// Writes the letters. What cannot be written never can.
    fn write(&self, claimed: &[Claimed]) -> (Vec<Letter>, Vec<(MailId, Outcome)>) {
        let (mut letters, mut unwritten) = (Vec::with_capacity(claimed.len()), Vec::new());
        for mail in claimed {
            let told: Result<NotifyCustomer, _> = serde_json::from_str(&mail.told);
            let written = told.map_err(|error| error.to_string()).and_then(|told| {
                letter::write(&told, UtcMicros(mail.created_at), self.notifications.addresses())
                    .map_err(|error| error.to_string())
            });
            match written {
                Ok(letter) => letters.push(letter),
                Err(error) => unwritten.push((mail.id(), Outcome::Refused(error))),
            }
        }
        (letters, unwritten)
    }

    async fn count(&self) {
        if let Ok(open) = store::count_open(self.notifications.messaging().db()).await {
            #[expect(clippy::cast_precision_loss, reason = "it is at most ten thousand")]
            metrics::gauge!("tramline_mails_waiting").set(open as f64);
        }
    }
}

/// Pairs what was taken in hand with how it ended. What the transport said nothing of was not tried.
fn judge(claimed: Vec<Claimed>, outcomes: &[(MailId, Outcome)], now: UtcMicros) -> Vec<(Claimed, Verdict)> {
    let by_id: std::collections::HashMap<_, _> = outcomes.iter().map(|(id, outcome)| (*id, outcome)).collect();
    let judged = claimed.into_iter().map(|mail| {
        let outcome = by_id.get(&mail.id()).map(|outcome| (*outcome).clone());
        let outcome = outcome.unwrap_or_else(|| Outcome::NotTried("the round ended before its turn".to_owned()));
        let verdict = verdict(outcome, mail.refusals, UtcMicros(mail.created_at), now);
        (mail, verdict)
    });
    judged.collect()
}

/// Says what became of them. An address is somebody's business, so only ids are logged.
fn tell(verdicts: &[(Claimed, Verdict)]) {
    for (mail, verdict) in verdicts {
        let id = mail.id();
        match verdict.state {
            MailState::Sent => metrics::counter!("tramline_mails_sent_total").increment(1),
            MailState::Failed => {
                metrics::counter!("tramline_mails_failed_total").increment(1);
                tracing::error!(mail.id = %id, error = verdict.error, "a mail has failed: an operator must look");
            }
            MailState::Waiting | MailState::Sending => {}
        }
        if verdict.duplicate_possible {
            metrics::counter!("tramline_mails_uncertain_total").increment(1);
            tracing::warn!(mail.id = %id, error = verdict.error, "nobody knows whether a mail was taken; it is sent again");
        }
    }
}

async fn settle(notifications: &Notifications, verdicts: Vec<(Claimed, Verdict)>) -> Result<u64, DbError> {
    let db = notifications.messaging().db();
    let mut tries = 0_u32;
    loop {
        let rows = verdicts.clone();
        let settled = db.write::<_, DbError, _>(|tx| Box::pin(async move { store::settle(tx, rows).await })).await;
        match settled {
            // Within what is left of the claim; repeating it changes nothing.
            Err(error) if error.may_pass() && tries < 5 => {
                tries += 1;
                tracing::warn!(%error, "what became of mails could not be written down yet");
                sleep(PAUSE_FIRST.saturating_mul(tries)).await;
            }
            other => return other,
        }
    }
}
