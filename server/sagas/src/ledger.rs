//! What a participant has done for which saga: so that a command that comes again is answered as the first time, and a
//! compensation that overtook its action wins.
//!
//! An action and what undoes it are one *part*, which the participant names: `hotel` for `BookHotel` and `CancelHotel`. Both go
//! through here, in the participant's own unit of work:
//!
//! ```
//! use tramline_messaging::{HandlerError, UnitOfWork};
//! use tramline_sagas::ledger::{Acted, Answer, act_once, undo_once};
//! use uuid::Uuid;
//!
//! # async fn rooms(work: &mut UnitOfWork<'_>, saga: Uuid) -> Result<(), HandlerError> {
//! // BookHotel
//! let acted = act_once(work, saga, "hotel", |work| {
//!     Box::pin(async move {
//!         // … take a room by statements on work.tx …
//!         Ok(Answer::Done(7_u16))
//!     })
//! });
//! match acted.await? {
//!     Acted::Answered(Answer::Done(room)) => println!("room {room}, now or since the first time"),
//!     Acted::Answered(Answer::Refused(_)) => println!("no room, now or since the first time"),
//!     Acted::TooLate => println!("refused: it was cancelled before it came"),
//! }
//! // CancelHotel
//! undo_once(work, saga, "hotel", |work, room: u16| {
//!     Box::pin(async move {
//!         // … free the room by statements on work.tx …
//!         Ok(())
//!     })
//! })
//! .await?;
//! # Ok(()) }
//! ```
//!
//! A compensation that finds no action leaves a *tombstone*, and the action that comes later is refused: in a system that
//! delivers at least once and gives up waiting, that happens (Pat Helland, *Life beyond Distributed Transactions*, CIDR 2007,
//! on tentative work and its cancellation). This module knows neither what is done nor how a reply is worded.

use serde::{Serialize, de::DeserializeOwned};
use tramline_db::{BoxFuture, Db, DbError, Migration, UtcMicros, sql};
use tramline_messaging::{HandlerError, UnitOfWork};
use uuid::Uuid;

/// Run these in every database of a participant that keeps a ledger.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 230,
    description: "sagas: ledger of a participant",
    sql: "
-- What was done for a saga's part, and what was answered. `state` is DONE, REFUSED, UNDONE or TOMBSTONE; ACTING is never committed.
-- `acts` and `undos` count how often the action and its compensation came.
create table participant_ledger (
    saga_id uuid not null,
    part text not null,
    state text not null,
    acts bigint not null,
    undos bigint not null,
    answer text,
    recorded_at bigint not null,
    primary key (saga_id, part)
) without rowid;
-- Finds what is old enough to be forgotten.
create index participant_ledger_age on participant_ledger (recorded_at);
",
}];

/// Entries that [`forget`] takes away at once: a transaction that holds up nobody for long.
pub const FORGET_MAX: i64 = 1_000;

/// What a participant decided, with whatever it wants to say of it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<A> {
    /// It was done.
    Done(A),
    /// It was refused for a business reason, and nothing has changed.
    Refused(A),
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acted<A> {
    /// The participant's answer, given now or the first time.
    Answered(Answer<A>),
    /// The compensation came first, so nothing was done and nothing will be.
    TooLate,
}

/// What became of a compensation. It is never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The action is undone, now.
    Now,
    /// Nothing was left to undo: it was undone before, or had been refused.
    Already,
    /// The action has not come. If it comes, it is refused.
    InAdvance,
}

tramline_db::record! {
    struct Entry {
        state: String,
        acts: i64,
        undos: i64,
        answer: Option<String>,
    }
}

/// Performs the action of a saga's part, unless it was performed, or undone, before. Two statements the first time, one later.
///
/// # Errors
/// The action's own error, which undoes the unit of work with all of this; or the database's.
pub async fn act_once<A, F>(
    work: &mut UnitOfWork<'_>,
    saga_id: Uuid,
    part: &'static str,
    act: F,
) -> Result<Acted<A>, HandlerError>
where
    A: Serialize + DeserializeOwned,
    F: for<'a, 't> FnOnce(&'a mut UnitOfWork<'t>) -> BoxFuture<'a, Result<Answer<A>, HandlerError>>,
{
    let entry = sql("insert into participant_ledger (saga_id, part, state, acts, undos, recorded_at) \
                     values ($1, $2, 'ACTING', 1, 0, $3) \
                     on conflict (saga_id, part) do update set acts = participant_ledger.acts + 1 \
                     returning state, acts, undos, answer");
    let entry: Option<Entry> = work.tx.optional(entry.bind(saga_id).bind(part).bind(work.now)).await?;
    let entry = entry.ok_or_else(|| HandlerError::Permanent("the ledger took no entry".to_owned()))?;
    match entry.state.as_str() {
        "ACTING" if entry.acts == 1 => {}
        "TOMBSTONE" => return Ok(Acted::TooLate),
        // What has been undone was done once: the same answer, and nothing happens.
        "DONE" | "UNDONE" => return Ok(Acted::Answered(Answer::Done(read_answer(entry.answer)?))),
        "REFUSED" => return Ok(Acted::Answered(Answer::Refused(read_answer(entry.answer)?))),
        other => return Err(DbError::corrupt("an entry of the ledger", other.to_owned()).into()),
    }
    let answer = act(work).await?;
    let (state, body) = match &answer {
        Answer::Done(body) => ("DONE", body),
        Answer::Refused(body) => ("REFUSED", body),
    };
    let body = serde_json::to_string(body).map_err(|error| DbError::corrupt("an answer", error))?;
    work.tx
        .execute(
            sql("update participant_ledger set state = $3, answer = $4 where saga_id = $1 and part = $2")
                .bind(saga_id)
                .bind(part)
                .bind(state)
                .bind(body),
        )
        .await?;
    Ok(Acted::Answered(answer))
}

/// Undoes the action of a saga's part if it was done and is not undone yet. `undo` is given what the action answered. One
/// statement besides its own.
///
/// # Errors
/// The compensation's own error, so that it may be tried again, or the database's. After [`HandlerError::Transient`], with which
/// it must have changed nothing, the ledger is as before, whether or not the unit of work stands.
pub async fn undo_once<A, F>(
    work: &mut UnitOfWork<'_>,
    saga_id: Uuid,
    part: &'static str,
    undo: F,
) -> Result<Undone, HandlerError>
where
    A: DeserializeOwned,
    F: for<'a, 't> FnOnce(&'a mut UnitOfWork<'t>, A) -> BoxFuture<'a, Result<(), HandlerError>>,
{
    // The age counts anew: an action that comes late must still find that it was undone.
    let entry = sql("insert into participant_ledger (saga_id, part, state, acts, undos, recorded_at) \
                     values ($1, $2, 'TOMBSTONE', 0, 1, $3) \
                     on conflict (saga_id, part) do update set undos = participant_ledger.undos + 1, \
                     state = case when participant_ledger.state = 'DONE' then 'UNDONE' else participant_ledger.state end, \
                     recorded_at = excluded.recorded_at \
                     returning state, acts, undos, answer");
    let entry: Option<Entry> = work.tx.optional(entry.bind(saga_id).bind(part).bind(work.now)).await?;
    let entry = entry.ok_or_else(|| HandlerError::Permanent("the ledger took no entry".to_owned()))?;
    match entry.state.as_str() {
        "UNDONE" if entry.undos == 1 => {
            let undone = undo(work, read_answer(entry.answer)?).await;
            if let Err(HandlerError::Transient(_)) = undone {
                // The unit of work may stand all the same, as that of a saga whose own compensation is put off.
                let still_done =
                    sql("update participant_ledger set state = 'DONE', undos = 0 where saga_id = $1 and part = $2");
                work.tx.execute(still_done.bind(saga_id).bind(part)).await?;
            }
            undone.map(|()| Undone::Now)
        }
        "UNDONE" | "REFUSED" => Ok(Undone::Already),
        "TOMBSTONE" => Ok(Undone::InAdvance),
        other => Err(DbError::corrupt("an entry of the ledger", other.to_owned()).into()),
    }
}

/// Forgets what was last touched before a moment, oldest first and at most [`FORGET_MAX`] entries; tells how many. That moment
/// must lie further back than any command can still be under way: longer than a store may be behind and a saga may take.
///
/// # Errors
/// When the database fails.
pub async fn forget(db: &Db, before: UtcMicros) -> Result<u64, DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            tx.execute(
                sql("delete from participant_ledger where (saga_id, part) in (select saga_id, part from participant_ledger \
                     where recorded_at < $1 order by recorded_at limit $2)")
                .bind(before)
                .bind(FORGET_MAX),
            )
            .await
        })
    })
    .await
}

fn read_answer<A: DeserializeOwned>(answer: Option<String>) -> Result<A, DbError> {
    serde_json::from_str(answer.as_deref().unwrap_or("null"))
        .map_err(|error| DbError::corrupt("an answer in the ledger", error))
}
