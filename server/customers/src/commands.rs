//! Carries out commands of sagas and replies to them.

use crate::service::reserve_credit;
use std::sync::Arc;
use tramline_db::BoxFuture;
use tramline_messages::{
    channels::ORDER_REPLIES,
    customers::{CreditRefused, CreditReserved, ReserveCredit},
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
                let reply = match command.headers.kind.as_str() {
                    ReserveCredit::KIND => reserve(work, command).await?,
                    other => return Err(HandlerError::Permanent(format!("the command {other} is not known here"))),
                };
                reply_to(work, command, ORDER_REPLIES, &reply)?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

async fn reserve(work: &mut UnitOfWork<'_>, command: &Record) -> Result<Reply, HandlerError> {
    let body: ReserveCredit = serde_json::from_str(&command.payload)
        .map_err(|error| HandlerError::Permanent(format!("the body does not read: {error}")))?;
    Ok(match reserve_credit(work, &body).await? {
        None => Reply::done(CreditReserved::KIND, &CreditReserved {}),
        Some(reason) => Reply::refused(CreditRefused::KIND, &CreditRefused { reason }),
    })
}
