//! An agent: a participant with a database of its own, that has places and gives them away.
//!
//! Its ledger makes a command that comes again harmless, and has a cancellation win that comes before its booking. It knows no
//! saga beyond the id in the command.

use crate::saga::{BOOK, CANCEL, REPLIES};
use std::sync::Arc;
use tramline_db::{BoxFuture, Migration, sql};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use tramline_sagas::{
    Reply,
    ledger::{self, Acted, Answer, act_once, undo_once},
    reply_to,
};

/// The tables of an agent.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, ledger::MIGRATIONS, &[PLACES]].concat()
}

const PLACES: Migration = Migration {
    version: 1_000,
    description: "agent: places",
    sql: "
-- What an agent has left, and how many it has given away: one row.
create table places (
    id bigint not null primary key,
    free bigint not null,
    taken bigint not null
);
",
};

/// Handles the commands to one agent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agent;

impl Handler for Agent {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for command in batch {
                let reply = answer(work, command).await?;
                reply_to(work, command, REPLIES, &reply)?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

async fn answer(work: &mut UnitOfWork<'_>, command: &Record) -> Result<Reply, HandlerError> {
    let kind = command.headers.kind.as_str();
    let Some(saga) = command.headers.saga_id else {
        return Err(HandlerError::Permanent(format!("{kind} names no saga")));
    };
    match kind {
        BOOK => Ok(match act_once(work, saga, "place", |work| Box::pin(take(work))).await? {
            Acted::Answered(Answer::Done(place)) => Reply::done("Booked", &place),
            Acted::Answered(Answer::Refused(_)) => Reply::refused("Full", &()),
            Acted::TooLate => Reply::refused("CancelledBefore", &()),
        }),
        CANCEL => {
            undo_once(work, saga, "place", |work, _: i64| Box::pin(give_back(work))).await?;
            Ok(Reply::done("Cancelled", &()))
        }
        other => Err(HandlerError::Permanent(format!("the command {other} is not known"))),
    }
}

/// The number of the place, or a refusal when none is free.
async fn take(work: &mut UnitOfWork<'_>) -> Result<Answer<i64>, HandlerError> {
    let taken = sql("update places set free = free - 1, taken = taken + 1 where free > 0 returning taken");
    let place: Option<(i64,)> = work.tx.optional(taken).await?;
    Ok(place.map_or(Answer::Refused(0), |(number,)| Answer::Done(number)))
}

async fn give_back(work: &mut UnitOfWork<'_>) -> Result<(), HandlerError> {
    work.tx.execute(sql("update places set free = free + 1, taken = taken - 1")).await?;
    Ok(())
}
