//! Mistakes planted around the real handlers, which the simulation must find.

use std::sync::Arc;
use tramline_customers::{CommandHandler, OrderEventHandler};
use tramline_db::{BoxFuture, sql};
use tramline_messages::{customers::ReserveCredit, notifications::NotifyCustomer};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use tramline_order_history::SqlProjector;
use tramline_orders::ReplyRouter;
use tramline_simulator::{Flaw, Stage};
use uuid::Uuid;

pub const DUPLICATE_NOT_RECOGNISED: Flaw = Flaw::Own("a repeated command is not recognised");
pub const COMPENSATION_SKIPPED: Flaw = Flaw::Own("a compensation is skipped");
pub const REFUSAL_TAKEN_FOR_DONE: Flaw = Flaw::Own("a refusal is taken for done");
pub const LOCK_IGNORED: Flaw = Flaw::Own("the semantic lock is ignored");
pub const TURN_NOT_RECOGNISED: Flaw = Flaw::Own("a repeated event of a choreographed saga is not recognised");
pub const VERSION_IGNORED: Flaw = Flaw::Own("the view applies an event without a look at its version");
pub const MAIL_SENT_AGAIN: Flaw = Flaw::Own("a repeated command has its mail sent again");

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
    TURN_NOT_RECOGNISED,
    VERSION_IGNORED,
    MAIL_SENT_AGAIN,
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
        forget_reservation(work, body.order_id.0).await?;
    }
    Ok(())
}

async fn forget_reservation(work: &mut UnitOfWork<'_>, order: Uuid) -> Result<(), HandlerError> {
    work.tx.execute(sql("delete from credit_reservation where order_id = $1").bind(order)).await?;
    Ok(())
}

/// The customers' turns in sagas that nobody leads, taken without a look at what was done before where the stage says so.
pub struct Turns {
    forgets: bool,
}

impl Turns {
    pub fn new(stage: &Stage) -> Self {
        Self { forgets: stage.has(TURN_NOT_RECOGNISED) }
    }
}

impl Handler for Turns {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for event in batch {
                let headers = &event.headers;
                if self.forgets && headers.saga_type.is_some() && headers.kind == "OrderCreated" {
                    forget_reservation(work, headers.aggregate_id.unwrap_or_default()).await?;
                }
                OrderEventHandler.handle(work, std::slice::from_ref(event)).await?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

/// What makes the view, with the versions in it forgotten before each batch where the stage says so.
pub struct Projecting {
    projector: SqlProjector,
    forgets: bool,
}

impl Projecting {
    pub fn new(stage: &Stage, projector: SqlProjector) -> Self {
        Self { projector, forgets: stage.has(VERSION_IGNORED) }
    }
}

impl Handler for Projecting {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for id in batch.iter().filter(|_| self.forgets).filter_map(|event| event.headers.aggregate_id) {
                work.tx.execute(sql("update order_view set version = 0 where order_id = $1").bind(id)).await?;
                work.tx.execute(sql("update customer_view set version = 0 where customer_id = $1").bind(id)).await?;
            }
            // Nobody listens to the feed.
            self.projector.handle(work, batch).await.map(drop)
        })
    }

    fn committed(&self, (): ()) {}
}

/// What tells customers, with a mail that is out already sent once more where the stage says so.
pub struct Telling<H> {
    handler: H,
    sends_again: bool,
}

impl<H> Telling<H> {
    pub fn new(stage: &Stage, handler: H) -> Self {
        Self { handler, sends_again: stage.has(MAIL_SENT_AGAIN) }
    }
}

impl<H: Handler<Effect = ()>> Handler for Telling<H> {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for command in
                batch.iter().filter(|command| self.sends_again && command.headers.kind == NotifyCustomer::KIND)
            {
                let told: NotifyCustomer = serde_json::from_str(&command.payload)
                    .map_err(|error| HandlerError::Permanent(error.to_string()))?;
                let again = sql("update mail set state = 'WAITING', due_at = $3 \
                     where order_id = $1 and order_version = $2 and state = 'SENT'");
                work.tx.execute(again.bind(told.order_id.0).bind(told.order_version.0).bind(work.now)).await?;
            }
            self.handler.handle(work, batch).await
        })
    }

    fn committed(&self, (): ()) {
        self.handler.committed(());
    }
}
