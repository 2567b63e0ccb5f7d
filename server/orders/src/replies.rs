//! Brings replies to the sagas that await them.

use crate::service::Orders;
use std::sync::Arc;
use tramline_db::BoxFuture;
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use tramline_sagas::ReplyHandler;

/// Handles the channel of replies to this service's sagas.
pub struct ReplyRouter {
    sagas: Vec<Arc<dyn ReplyHandler>>,
}

impl ReplyRouter {
    /// A router to every saga of the service.
    #[must_use]
    pub fn new(orders: &Orders) -> Self {
        Self { sagas: orders.sagas().reply_handlers() }
    }
}

impl Handler for ReplyRouter {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for reply in batch {
                work.traceparent.clone_from(&reply.headers.traceparent);
                let kind = reply.headers.saga_type.as_deref();
                let Some(saga) = self.sagas.iter().find(|saga| Some(saga.kind()) == kind) else {
                    return Err(HandlerError::Permanent(format!("no saga is called {kind:?}")));
                };
                saga.on_reply(work, reply).await?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}
