//! The sagas of one service under one roof: replies, deadlines and operators find each by its kind.

use crate::{Operator, Retried, SagaKind};
use std::sync::Arc;
use tramline_db::{BoxFuture, sql};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};
use uuid::Uuid;

/// Every kind of saga that a service orchestrates. As a [`Handler`] it takes the channel of their replies. Cheap to clone.
#[derive(Clone)]
pub struct Sagas(Arc<[Arc<dyn SagaKind>]>);

impl Sagas {
    /// These kinds.
    #[must_use]
    pub fn new(kinds: Vec<Arc<dyn SagaKind>>) -> Self {
        Self(kinds.into())
    }

    /// The saga of a kind, or `None`.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Option<&Arc<dyn SagaKind>> {
        self.0.iter().find(|saga| saga.kind() == kind)
    }

    /// Tries the step again at which a parked saga is stuck, and writes down who wanted it.
    ///
    /// # Errors
    /// An infrastructure failure, which undoes the unit of work.
    pub async fn retry(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: Uuid,
        operator: &Operator,
    ) -> Result<Retried, HandlerError> {
        let kind: Option<(String,)> =
            work.tx.optional(sql("select saga_type from saga_instance where saga_id = $1").bind(saga)).await?;
        match kind.and_then(|(kind,)| self.of_kind(&kind)) {
            Some(kind) => kind.retry(work, saga, operator).await,
            None => Ok(Retried::Unknown),
        }
    }
}

impl Handler for Sagas {
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
                let Some(saga) = kind.and_then(|kind| self.of_kind(kind)) else {
                    return Err(HandlerError::Permanent(format!("no saga is called {kind:?}")));
                };
                saga.on_reply(work, reply).await?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}
