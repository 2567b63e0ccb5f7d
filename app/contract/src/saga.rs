//! Sagas as an operator sees them.

use crate::{FieldError, SagaId, Timestamp, Version, fields::Fields};
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
    /// When a command that it awaits an answer to goes out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// How often such a command has gone out again; above 0 the saga is overdue.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resent: i64,
}

#[cfg_attr(
    target_pointer_width = "64",
    expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands a reference; only where that is as long as the number does clippy mind"
    )
)]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The longest name of an operator, and the longest reason: they are shown in a list.
const WHO_MAX: usize = 100;
const WHY_MAX: usize = 500;

/// `POST /api/operations/sagas/{id}/retry`: the cause is mended, so the step that the saga is stuck at is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetrySaga {
    /// Who wants it, for the saga's log; up to 100 characters.
    pub operator: String,
    /// Why it will work now, for the saga's log; up to 500 characters.
    pub reason: String,
}

impl RetrySaga {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let operator = fields.required("operator", |value| words(value, WHO_MAX));
        let reason = fields.required("reason", |value| words(value, WHY_MAX));
        fields.finish()?;
        operator.zip(reason).map(|(operator, reason)| Self { operator, reason }).ok_or_else(Vec::new)
    }
}

fn words(value: &serde_json::Value, most: usize) -> Result<String, String> {
    let text =
        value.as_str().map(str::trim).filter(|text| !text.is_empty()).ok_or("must be a text that is not empty")?;
    if text.chars().count() > most {
        return Err(format!("must have at most {most} characters"));
    }
    Ok(text.to_owned())
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
    /// `WAITING`, `RUNNING`, `DONE`, `SKIPPED`, `REFUSED`, `COMPENSATING` or `COMPENSATED`.
    pub state: String,
}

/// A message that a saga sent or received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SagaMessage {
    /// Names the message.
    pub id: Uuid,
    /// `command`, `command-again`, `reply`, `late-reply`, `gave-up` or `operator`; of a saga that nobody leads `event`, `repetition` or
    /// `departure`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_has_a_saga_tried_again_says_why() {
        let body = RetrySaga::parse(&json!({"operator": " Ada ", "reason": "mended"})).expect("it is good");
        assert_eq!((body.operator.as_str(), body.reason.as_str()), ("Ada", "mended"));
        let long = "x".repeat(501);
        let errors = RetrySaga::parse(&json!({"operator": " ", "reason": long, "force": true})).expect_err("it is bad");
        let named: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(named, ["operator", "reason", "force"]);
    }
}
