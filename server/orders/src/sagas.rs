//! The sagas of this service: one orchestrator for each definition, all with the same participant.

use crate::{
    cancel_order::{self, CANCEL_ORDER, CancelOrderData},
    create_order::{self, CREATE_ORDER, CreateOrderData},
    participant::OrderParticipant,
    revise_order::{self, REVISE_ORDER, ReviseOrderData},
};
use std::sync::Arc;
use tramline_messages::channels::ORDER_REPLIES;
use tramline_sagas::{InstanceView, Orchestrator, ReplyHandler, StepView};

/// An orchestrator per definition. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sagas {
    pub(crate) create_order: Arc<Orchestrator<CreateOrderData>>,
    pub(crate) cancel_order: Arc<Orchestrator<CancelOrderData>>,
    pub(crate) revise_order: Arc<Orchestrator<ReviseOrderData>>,
}

impl Sagas {
    pub(crate) fn new() -> Self {
        let participant = Arc::new(OrderParticipant);
        Self {
            create_order: Arc::new(Orchestrator::new(
                create_order::definition(),
                ORDER_REPLIES,
                Arc::clone(&participant) as _,
            )),
            cancel_order: Arc::new(Orchestrator::new(
                cancel_order::definition(),
                ORDER_REPLIES,
                Arc::clone(&participant) as _,
            )),
            revise_order: Arc::new(Orchestrator::new(revise_order::definition(), ORDER_REPLIES, participant)),
        }
    }

    /// Whoever takes replies.
    pub(crate) fn reply_handlers(&self) -> Vec<Arc<dyn ReplyHandler>> {
        let Self { create_order, cancel_order, revise_order } = self.clone();
        vec![create_order, cancel_order, revise_order]
    }

    /// How far each step of a run has come; none when no definition has its name any more.
    pub(crate) fn steps(&self, run: &InstanceView) -> Vec<StepView> {
        let (phase, refused) = (run.phase, run.refused_step);
        match run.kind.as_str() {
            CREATE_ORDER => self.create_order.definition().step_views(phase, refused),
            CANCEL_ORDER => self.cancel_order.definition().step_views(phase, refused),
            REVISE_ORDER => self.revise_order.definition().step_views(phase, refused),
            _ => Vec::new(),
        }
    }
}
