//! The sagas of this service: one orchestrator for each definition, all with the same participant.

use crate::{
    cancel_order::{self, CancelOrderData},
    create_order::{self, CreateOrderData},
    participant::OrderParticipant,
    revise_order::{self, ReviseOrderData},
};
use std::sync::Arc;
use tramline_messages::{channels::ORDER_REPLIES, protocols};
use tramline_sagas::{InstanceView, Orchestrator, Plan, ReplyHandler, Resumes, SagaKind, StepView};

/// Every definition, to say whether it resumes a saga.
#[must_use]
pub fn definitions() -> Vec<Box<dyn Resumes>> {
    vec![
        Box::new(create_order::definition()),
        Box::new(cancel_order::definition()),
        Box::new(revise_order::definition()),
    ]
}

/// The plans of the definitions, to be written down when the service starts.
#[must_use]
pub fn plans() -> Vec<Plan> {
    definitions().iter().map(|definition| definition.plan()).collect()
}

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

    /// Every kind, for workers and operators.
    pub(crate) fn kinds(&self) -> tramline_sagas::Sagas {
        let Self { create_order, cancel_order, revise_order } = self.clone();
        let kinds: Vec<Arc<dyn SagaKind>> = vec![create_order, cancel_order, revise_order];
        tramline_sagas::Sagas::new(kinds)
    }

    /// How far each step of a run has come; none when no definition has its name any more.
    pub(crate) fn steps(&self, run: &InstanceView) -> Vec<StepView> {
        if run.choreographed {
            let protocol = protocols::find(&run.kind);
            return protocol.map(|protocol| protocol.step_views(run.phase, run.refused_step)).unwrap_or_default();
        }
        self.kinds().of_kind(&run.kind).map(|saga| saga.step_views(run)).unwrap_or_default()
    }
}
