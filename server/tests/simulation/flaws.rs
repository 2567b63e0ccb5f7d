//! Mistakes planted around the real handlers, which the simulation must find.

use std::sync::Arc;
use tramline_customers::CommandHandler;
use tramline_db::{BoxFuture, sql};
use tramline_messages::customers::ReserveCredit;
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use tramline_orders::ReplyRouter;
use tramline_simulator::{Flaw, Stage};

pub const DUPLICATE_NOT_RECOGNISED: Flaw = Flaw::Own("a repeated command is not recognised");
pub const COMPENSATION_SKIPPED: Flaw = Flaw::Own("a compensation is skipped");
pub const REFUSAL_TAKEN_FOR_DONE: Flaw = Flaw::Own("a refusal is taken for done");
pub const LOCK_IGNORED: Flaw = Flaw::Own("the semantic lock is ignored");

/// All that are planted here, the engine's own among them.
pub const ALL: &[Flaw] = &[
    Flaw::OffsetAfterEffects,
    Flaw::OffsetBeforeEffects,
    Flaw::OffsetIgnoresEpochs,
    Flaw::BrokerIgnoresEpochs,
    DUPLICATE_NOT_RECOGNISED,
    COMPENSATION_SKIPPED,
    REFUSAL_TAKEN_FOR_DONE,
    LOCK_IGNORED,
];

/// The sagas' replies, taken carelessly where the stage says so.
pub struct Careless {
    router: ReplyRouter,
    skips_compensation: bool,
    takes_refusals_for_done: bool,
}

impl Careless {
    pub fn new(stage: &Stage, router: ReplyRouter) -> Self {
        let skips_compensation = stage.has(COMPENSATION_SKIPPED);
        Self { router, skips_compensation, takes_refusals_for_done: stage.has(REFUSAL_TAKEN_FOR_DONE) }
    }
}

impl Handler for Careless {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for reply in batch {
                let mut reply = Arc::clone(reply);
                let is_refused = reply.headers.outcome.as_deref() == Some("refused");
                if is_refused && self.takes_refusals_for_done {
                    Arc::make_mut(&mut reply).headers.outcome = Some("done".to_owned());
                }
                if is_refused && self.skips_compensation {
                    // The saga ends as if there were nothing to undo.
                    let end =
                        sql("update saga_instance set phase = 'ROLLED_BACK', pending_command = null, ended_at = $2 \
                         where saga_id = $1 and ended_at is null")
                        .bind(reply.headers.saga_id)
                        .bind(work.now);
                    work.tx.execute(end).await?;
                } else {
                    self.router.handle(work, &[reply]).await?;
                }
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

/// The customers' commands, carried out without a look at what was done before where the stage says so.
pub struct Commands {
    handler: CommandHandler,
    forgets: bool,
}

impl Commands {
    pub fn new(stage: &Stage, handler: CommandHandler) -> Self {
        Self { handler, forgets: stage.has(DUPLICATE_NOT_RECOGNISED) }
    }
}

impl Handler for Commands {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for command in batch {
                if self.forgets {
                    forget(work, command).await?;
                }
                self.handler.handle(work, std::slice::from_ref(command)).await?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

/// What was decided for this command before is gone.
async fn forget(work: &mut UnitOfWork<'_>, command: &Record) -> Result<(), HandlerError> {
    if command.headers.kind == ReserveCredit::KIND {
        let body: ReserveCredit =
            serde_json::from_str(&command.payload).map_err(|error| HandlerError::Permanent(error.to_string()))?;
        let forget = sql("delete from credit_reservation where order_id = $1").bind(body.order_id.0);
        work.tx.execute(forget).await?;
    }
    Ok(())
}
