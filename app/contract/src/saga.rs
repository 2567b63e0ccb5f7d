//! Sagas as an operator sees them.

use crate::{SagaId, Timestamp, Version};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SagaState {
    /// Going forward.
    Running,
    /// Undoing what it did.
    Compensating,
    /// Every step is done.
    Completed,
    /// Everything is undone.
    RolledBack,
    /// Stuck; a human must look.
    Parked,
}

/// A saga's place relative to its point of no return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum StepCategory {
    /// Can be undone by a compensating transaction.
    Compensatable,
    /// The point of no return: once it is done the saga completes.
    Pivot,
    /// Comes after the pivot and cannot be refused.
    Retriable,
}

/// A run of a saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Saga {
    /// Names the run.
    pub id: SagaId,
    /// The definition, `CreateOrder`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it stands.
    pub state: SagaState,
    /// The aggregate that it changes.
    pub aggregate_id: Uuid,
    /// Raised with every transition.
    pub version: Version,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// One step of a saga and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaStep {
    /// The step's name in the definition.
    pub name: String,
    /// Its place relative to the pivot.
    pub category: StepCategory,
    /// `WAITING`, `RUNNING`, `DONE`, `REFUSED`, `COMPENSATING` or `COMPENSATED`.
    pub state: String,
}

/// A message that a saga sent or received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaMessage {
    /// Names the message.
    pub id: Uuid,
    /// `command` or `reply`.
    pub kind: String,
    /// Where it was sent; `local` for a step in the saga's own database.
    pub channel: String,
    /// When the saga sent or took it.
    pub at: Timestamp,
    /// Its headers.
    pub headers: serde_json::Value,
    /// Its body.
    pub payload: serde_json::Value,
}

/// `GET /api/sagas/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaDetail {
    /// The run.
    #[serde(flatten)]
    pub saga: Saga,
    /// The steps, in the definition's order.
    pub steps: Vec<SagaStep>,
    /// The messages, in causal order.
    pub messages: Vec<SagaMessage>,
}
