//! Carries out commands of sagas and replies to them.

use crate::{credit, publish::Asked};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tramline_contract::RejectionReason;
use tramline_db::BoxFuture;
use tramline_messages::{
    channels::ORDER_REPLIES,
    customers::{
        ChangeReservation, CreditRefused, CreditReleased, CreditReserved, ReleaseCredit, ReservationChanged,
        ReserveCredit,
    },
};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use tramline_sagas::{Reply, reply_to};

/// Handles the channel of commands to this service.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandHandler;

impl Handler for CommandHandler {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for command in batch {
                work.traceparent.clone_from(&command.headers.traceparent);
                let reply = carry_out(work, command).await?;
                reply_to(work, command, ORDER_REPLIES, &reply)?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

async fn carry_out(work: &mut UnitOfWork<'_>, command: &Record) -> Result<Reply, HandlerError> {
    let asked = Asked::by_command(command);
    Ok(match command.headers.kind.as_str() {
        ReserveCredit::KIND => {
            let refused = credit::reserve(work, &asked, &read(command)?).await?;
            refused.map_or_else(|| Reply::done(CreditReserved::KIND, &CreditReserved {}), refuse)
        }
        ReleaseCredit::KIND => {
            credit::release(work, &asked, &read(command)?).await?;
            Reply::done(CreditReleased::KIND, &CreditReleased {})
        }
        ChangeReservation::KIND => {
            let refused = credit::change(work, &asked, &read(command)?).await?;
            refused.map_or_else(|| Reply::done(ReservationChanged::KIND, &ReservationChanged {}), refuse)
        }
        other => return Err(HandlerError::Permanent(format!("the command {other} is not known here"))),
    })
}

fn refuse(reason: RejectionReason) -> Reply {
    Reply::refused(CreditRefused::KIND, &CreditRefused { reason })
}

fn read<T: DeserializeOwned>(command: &Record) -> Result<T, HandlerError> {
    serde_json::from_str(&command.payload)
        .map_err(|error| HandlerError::Permanent(format!("the body does not read: {error}")))
}
