//! Handles parked events again for a view in Redis: the view first, the parking lot then.
//!
//! The two are no one transaction. An event that is applied twice changes nothing, since a document only gives way to a newer
//! version; so a death in between leaves the event in the lot, and the next try takes it out.

use super::RedisProjector;
use crate::{
    heal::{self, Jump},
    projection::{Changes, project},
};
use std::sync::Arc;
use tramline_db::{BoxFuture, DbError};
use tramline_messaging::{
    DryRun, HandlerError, ParkedMessage, Record, Replay, ReplayFailure, Replayed, Turn, UnitOfWork,
};

impl Replay for RedisProjector {
    fn replay<'a>(&'a self, turn: Turn) -> BoxFuture<'a, Result<Option<Replayed>, ReplayFailure>> {
        Box::pin(async move {
            let Some(message) = turn.look(self.messaging()).await? else { return Ok(None) };
            let failed = |cause| ReplayFailure { message_id: Some(message.record.id), cause };
            let changes = project(std::slice::from_ref(&message.record)).map_err(failed)?;
            let jumps = self.apply_to_current(&changes).await.map_err(failed)?;
            self.mark(jumps).await;
            turn.end_alone(self.messaging(), &message).await.map(Some).map_err(failed)
        })
    }

    fn dry_run<'a>(&'a self, record: &'a Arc<Record>) -> BoxFuture<'a, Result<DryRun, HandlerError>> {
        // Redis undoes nothing, so nothing is written: what an event makes of the view is known without.
        let dry_run = project(std::slice::from_ref(record)).map(|changes| {
            let customers =
                changes.customers.iter().map(|(id, (version, _))| format!("customer {id} in version {version}"));
            let orders = changes.orders.iter().map(|(id, (version, _))| format!("order {id} in version {version}"));
            let documents: Vec<_> = customers.chain(orders).collect();
            let remark = format!("the view would hold {}, unless it has a newer one", documents.join(" and "));
            DryRun { sends: Vec::new(), remark: Some(remark) }
        });
        Box::pin(std::future::ready(dry_run))
    }

    fn skipped<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async move { heal::put(work.tx, heal::unheard(message).as_slice()).await })
    }
}

impl RedisProjector {
    /// Changes the view that is read now, whichever process keeps its offsets. Returns what the view has missed.
    pub(crate) async fn apply_to_current(&self, changes: &Changes) -> Result<Vec<Jump>, HandlerError> {
        match self.view().current().await? {
            Some(generation) => self.change_in(&generation, &[], changes).await,
            None => Err(HandlerError::Store("the view in Redis has not begun yet".to_owned())),
        }
    }
}
