//! What went wrong, as a client reads it (RFC 9457).

use crate::{OrderState, SagaId, Version};
use serde::{Deserialize, Serialize};

/// One field of the input that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's name in the JSON or in the query.
    pub field: String,
    /// What is wrong with it, to be read after the field's name: "must not be negative".
    pub message: String,
}

/// A problem detail, `application/problem+json`. It never carries internal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI that names the kind of problem; here always `urn:tramline:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short sentence, the same for every problem of this kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do about it.
    pub detail: String,
    /// The kind in kebab-case, stable, for programs.
    pub code: String,
    /// The fields at fault, when the input is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The saga that holds what should be changed, with `order-locked`.
    #[serde(rename = "lockedBy", default, skip_serializing_if = "Option::is_none")]
    pub locked_by: Option<SagaId>,
    /// The version that the aggregate has by now, with `version-conflict`.
    #[serde(rename = "currentVersion", default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<Version>,
}

impl Problem {
    /// A problem of the kind `code`.
    #[must_use]
    pub fn new(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:tramline:problem:{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            errors: Vec::new(),
            locked_by: None,
            current_version: None,
        }
    }

    /// 422: the input has the wrong shape or a bad value.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail =
            errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect::<Vec<_>>().join("; ");
        Self { errors, ..Self::new(422, "invalid-request", "The request is not valid", detail) }
    }

    /// 404: nothing there, or nothing that the caller may see.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(404, "not-found", "Not found", format!("There is no such {what}."))
    }

    /// 409: the id was used before, for something else.
    #[must_use]
    pub fn idempotency_conflict() -> Self {
        Self::new(
            409,
            "idempotency-conflict",
            "The id was used before",
            "An earlier request with this id had another body. Choose a new id.",
        )
    }

    /// 409: somebody else changed it since the caller looked.
    #[must_use]
    pub fn version_conflict(current: Version) -> Self {
        let detail = format!("It has version {current} by now. Read it again, then decide.");
        let problem = Self::new(409, "version-conflict", "It has changed meanwhile", detail);
        Self { current_version: Some(current), ..problem }
    }

    /// 409: a saga holds the order; its semantic lock.
    #[must_use]
    pub fn order_locked(locked_by: Option<SagaId>) -> Self {
        let detail = "A saga is changing the order. Try again once it has ended.";
        Self { locked_by, ..Self::new(409, "order-locked", "The order is being changed", detail) }
    }

    /// 409: nothing is left to cancel.
    #[must_use]
    pub fn order_not_cancellable(state: OrderState) -> Self {
        let detail = format!("The order is {} and holds no credit.", state.as_str());
        Self::new(409, "order-not-cancellable", "The order cannot be cancelled", detail)
    }

    /// 409: the order has come to its end.
    #[must_use]
    pub fn order_not_revisable(state: OrderState) -> Self {
        let detail = format!("The order is {}. Place a new one.", state.as_str());
        Self::new(409, "order-not-revisable", "The order cannot be revised", detail)
    }

    /// 409: the saga goes on by itself, or has ended.
    #[must_use]
    pub fn saga_not_parked() -> Self {
        let detail = "Only a saga that is parked can be tried again by hand.";
        Self::new(409, "saga-not-parked", "The saga is not parked", detail)
    }

    /// 500: our fault. The cause is in the server's log, never here.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            500,
            "internal-error",
            "Something went wrong",
            "The request could not be handled. Try again with the same id.",
        )
    }

    /// 503: a service does not answer now.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(503, "unavailable", "Not available now", "A service is not answering. Try again with the same id.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, to_value};
    use uuid::Uuid;

    #[test]
    fn a_conflict_says_what_a_program_needs_to_go_on() {
        let saga = SagaId(Uuid::from_u128(7));
        let locked = to_value(Problem::order_locked(Some(saga))).expect("it is JSON");
        assert_eq!((&locked["code"], &locked["lockedBy"]), (&json!("order-locked"), &json!(saga)));
        let stale = to_value(Problem::version_conflict(Version(4))).expect("it is JSON");
        assert_eq!((&stale["code"], &stale["currentVersion"]), (&json!("version-conflict"), &json!(4)));
        assert_eq!(stale.get("lockedBy"), None);
        assert_eq!(
            Problem::order_not_cancellable(OrderState::Rejected).detail,
            "The order is REJECTED and holds no credit."
        );
    }
}
