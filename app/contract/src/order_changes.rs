//! What can still happen to an order that was approved: it is cancelled, or its total is revised.
//!
//! Both begin a saga and are answered like placing an order, with a [`crate::OrderAccepted`].

use crate::{FieldError, Money, Version, fields::Fields};
use serde::{Deserialize, Serialize};

/// `POST /api/orders/{id}/cancel`. It has no fields; the body is `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelOrder {}

impl CancelOrder {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field: there should be none.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        Fields::of(body)?.finish()?;
        Ok(Self {})
    }
}

/// `POST /api/orders/{id}/revise`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviseOrder {
    /// What the order shall cost; above zero.
    pub total: Money,
    /// The version that the caller has seen: when the order has another one by now, nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<Version>,
}

impl ReviseOrder {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let total = fields.amount("total");
        let expected_version = fields.optional_version("expectedVersion");
        fields.finish()?;
        total.map(|total| Self { total, expected_version }).ok_or_else(Vec::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cancelling_takes_an_empty_object_and_nothing_else() {
        assert_eq!(CancelOrder::parse(&json!({})), Ok(CancelOrder {}));
        assert_eq!(CancelOrder::parse(&json!({"why": 1})).expect_err("it is bad")[0].field, "why");
        assert!(CancelOrder::parse(&json!(null)).is_err());
    }

    #[test]
    fn a_new_total_is_above_zero() {
        let body = ReviseOrder::parse(&json!({"total": "30.00", "expectedVersion": 2})).expect("it is good");
        assert_eq!((body.total.minor(), body.expected_version), (3_000, Some(Version(2))));
        let errors = ReviseOrder::parse(&json!({"total": 0, "expectedVersion": "2", "id": 1})).expect_err("it is bad");
        let named: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(named, ["total", "expectedVersion", "id"]);
    }
}
