//! Messages that wait in a service's parking lot, as an operator sees and mends them.

use crate::{FieldError, Timestamp, fields::Fields};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The longest reason that an operator may give.
const REASON_MAX_CHARS: usize = 500;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedMessage {
    /// Names the message.
    pub id: Uuid,
    /// The kind of command, reply or event.
    pub kind: String,
    /// The service that sent it.
    pub source: String,
    /// Where it was sent.
    pub channel: String,
    /// Its number in its stream.
    pub seq: i64,
    /// Why it waits, or why it failed last.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i64,
    /// How many of these tries an operator asked for.
    pub replays: i64,
    /// When it was parked.
    pub first_failed_at: Timestamp,
    /// When it failed last.
    pub last_failed_at: Timestamp,
}

/// A key whose messages wait, with the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedKey {
    /// The service that could not handle it.
    pub service: String,
    /// The consumer group in that service.
    pub group: String,
    /// What the messages have in common: they stay in order.
    pub key: Uuid,
    /// How many wait.
    pub waiting: i64,
    /// The one that holds up the others.
    pub first: ParkedMessage,
}

/// Part of the list of keys that wait, over all services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedKeys {
    /// At most `limit` keys.
    pub items: Vec<ParkedKey>,
    /// Give it back as `cursor` to read on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Whether every service has answered.
    pub complete: bool,
    /// The services that have not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// How many messages of one kind wait for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedKind {
    /// The service that could not handle them.
    pub service: String,
    /// The consumer group in that service.
    pub group: String,
    /// Where they were sent.
    pub channel: String,
    /// The kind of command, reply or event.
    pub kind: String,
    /// Why they wait.
    pub reason: String,
    /// How many.
    pub messages: i64,
    /// When the oldest was parked.
    pub oldest: Timestamp,
}

/// What waits, by kind and reason, over all services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedKinds {
    /// The most frequent of each service first, at most 100 of each.
    pub items: Vec<ParkedKind>,
    /// Whether every service has answered.
    pub complete: bool,
    /// The services that have not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// A message that waits, with its body and the line of its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedDetail {
    /// The service that could not handle it.
    pub service: String,
    /// The consumer group in that service.
    pub group: String,
    /// Its key.
    pub key: Uuid,
    /// The message.
    pub message: ParkedMessage,
    /// What it says of itself.
    pub headers: Value,
    /// Its body, as it was edited last; a text when it is no JSON.
    pub payload: Value,
    /// The first hundred messages of its key in order, itself among them.
    pub line: Vec<ParkedMessage>,
}

/// A message that a rehearsal would have sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RehearsedMessage {
    /// Where it would go.
    pub channel: String,
    /// Its key.
    pub key: Uuid,
    /// What it would say of itself.
    pub headers: Value,
    /// Its body.
    pub payload: Value,
}

/// What a rehearsal has shown. Nothing of it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rehearsal {
    /// Whether the message would be handled.
    pub handled: bool,
    /// Why it would not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it would send.
    pub sends: Vec<RehearsedMessage>,
    /// What else it would do, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What became of the messages of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mended {
    /// The messages that were handled, in order.
    pub handled: Vec<Uuid>,
    /// The one that failed again; those behind it were not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Uuid>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many of the key still wait.
    pub left: i64,
}

/// One thing that an operator did to a parked message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Names the entry.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// `inspect`, `edit`, `dry-run`, `retry` or `skip`.
    pub action: String,
    /// The service.
    pub service: String,
    /// The consumer group in that service.
    pub group: String,
    /// The message.
    pub message_id: Uuid,
    /// Its key.
    pub key: Uuid,
    /// Why, as the operator said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What became of it.
    pub outcome: String,
    /// The body before, as text, where it changed or went; cut after 16,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_before: Option<String>,
    /// The body after, as text, where it changed; cut after 16,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_after: Option<String>,
}

/// Part of what operators did, newest first, over all services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// At most `limit` entries.
    pub items: Vec<AuditEntry>,
    /// Give it back as `cursor` to read on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Whether every service has answered.
    pub complete: bool,
    /// The services that have not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// `POST …/dry-run` and `…/retry`: why, if the operator says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MendParked {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST …/edit`: another body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EditParked {
    /// The body, as its kind reads it.
    pub payload: Value,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST …/skip`: never handle it. That needs a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SkipParked {
    /// Why.
    pub reason: String,
}

impl MendParked {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Every fault found.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let reason = fields.optional("reason", parse_reason);
        fields.finish()?;
        Ok(Self { reason })
    }
}

impl EditParked {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Every fault found.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let payload = fields.required("payload", |value| Ok(value.clone()));
        let reason = fields.optional("reason", parse_reason);
        fields.finish()?;
        Ok(Self { payload: payload.unwrap_or_default(), reason })
    }
}

impl SkipParked {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Every fault found.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let reason = fields.required("reason", parse_reason);
        fields.finish()?;
        Ok(Self { reason: reason.unwrap_or_default() })
    }
}

fn parse_reason(value: &Value) -> Result<String, String> {
    let text = value.as_str().map(str::trim).ok_or("must be a text")?;
    match text.chars().count() {
        0 => Err("must say something".to_owned()),
        1..=REASON_MAX_CHARS if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        1..=REASON_MAX_CHARS => Err("must not contain control characters".to_owned()),
        _ => Err(format!("must have at most {REASON_MAX_CHARS} characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults<T>(parsed: Result<T, Vec<FieldError>>) -> Vec<String> {
        parsed.err().into_iter().flatten().map(|fault| format!("{} {}", fault.field, fault.message)).collect()
    }

    #[test]
    fn a_message_is_skipped_for_a_reason_and_edited_with_a_body() {
        let good = SkipParked::parse(&json!({"reason": " sent twice "})).expect("it says why");
        assert_eq!(good.reason, "sent twice");
        for (body, fault) in [
            (json!({}), "reason is required"),
            (json!({"reason": "  "}), "reason must say something"),
            (json!({"reason": "x".repeat(501)}), "reason must have at most 500 characters"),
            (json!({"reason": 7}), "reason must be a text"),
        ] {
            assert_eq!(faults(SkipParked::parse(&body)), [fault]);
        }
        assert_eq!(
            faults(EditParked::parse(&json!({"body": 1}))),
            ["payload is required", "body is not a known field"]
        );
        assert_eq!(MendParked::parse(&json!({})).expect("no reason is needed"), MendParked::default());
    }
}
