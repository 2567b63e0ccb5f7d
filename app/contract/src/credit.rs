//! What an operator does to a customer's account: changes the credit limit, records a payment.

use crate::{FieldError, Money, PaymentId, Version, fields::Fields};
use serde::{Deserialize, Serialize};

/// `POST /api/customers/{id}/credit-limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetCreditLimit {
    /// How much may be owed at most from now on; may be zero, and less than what is reserved.
    pub credit_limit: Money,
    /// The version that the caller has seen: when the customer has another one by now, nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<Version>,
}

impl SetCreditLimit {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let credit_limit = fields.money("creditLimit");
        let expected_version = fields.optional_version("expectedVersion");
        fields.finish()?;
        credit_limit.map(|credit_limit| Self { credit_limit, expected_version }).ok_or_else(Vec::new)
    }
}

/// What a payment is booked under, such as a check number: trimmed, 1 to 200 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentReference(String);

impl PaymentReference {
    /// The most characters that a reference may have.
    pub const MAX_CHARS: usize = 200;

    /// Parses a reference, dropping white space around it.
    ///
    /// # Errors
    /// Says what is wrong, to be read after the field's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            Err("must not be empty; leave it out instead")
        } else if text.chars().count() > Self::MAX_CHARS {
            Err("must have at most 200 characters")
        } else if text.chars().any(char::is_control) {
            Err("must not contain control characters")
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `POST /api/customers/{id}/payments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordPayment {
    /// The payment's id and the idempotency key; made by the server when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PaymentId>,
    /// How much was paid; above zero.
    pub amount: Money,
    /// What it is booked under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<PaymentReference>,
}

impl RecordPayment {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let id = fields.optional_id("id").map(PaymentId);
        let amount = fields.amount("amount");
        let reference = fields.optional("reference", |value| match value.as_str() {
            Some(text) => PaymentReference::parse(text).map_err(str::to_owned),
            None => Err("must be a text".to_owned()),
        });
        fields.finish()?;
        amount.map(|amount| Self { id, amount, reference }).ok_or_else(Vec::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_limit_may_be_zero_and_names_the_version_that_was_seen() {
        let body = SetCreditLimit::parse(&json!({"creditLimit": "0.00", "expectedVersion": 3})).expect("it is good");
        assert_eq!((body.credit_limit, body.expected_version), (Money::ZERO, Some(Version(3))));
        let body = SetCreditLimit::parse(&json!({"creditLimit": 12.5})).expect("it is good");
        assert_eq!((body.credit_limit.minor(), body.expected_version), (1_250, None));
    }

    #[test]
    fn every_bad_field_of_a_limit_is_named() {
        for version in [json!(0), json!(-1), json!(1.5), json!("1"), json!(u64::MAX)] {
            let bad = json!({"creditLimit": "-1.00", "expectedVersion": version, "limit": 1});
            let errors = SetCreditLimit::parse(&bad).expect_err("it is bad");
            assert_eq!(named(errors), ["creditLimit", "expectedVersion", "limit"], "{version}");
        }
        assert_eq!(named(SetCreditLimit::parse(&json!({})).expect_err("it is bad")), ["creditLimit"]);
    }

    #[test]
    fn a_payment_is_above_zero_and_its_reference_is_trimmed() {
        let body = json!({"amount": "0.01", "reference": "  HQ336336 "});
        let payment = RecordPayment::parse(&body).expect("it is good");
        assert_eq!((payment.amount.minor(), payment.id), (1, None));
        assert_eq!(payment.reference.as_ref().map(PaymentReference::as_str), Some("HQ336336"));

        let bad = json!({"id": 7, "amount": "0.00", "reference": "\u{7}", "paid": 1});
        let errors = RecordPayment::parse(&bad).expect_err("it is bad");
        assert_eq!(named(errors), ["id", "amount", "reference", "paid"]);
        for reference in [json!(""), json!("   "), json!("x".repeat(201)), json!(5)] {
            let bad = json!({"amount": "1.00", "reference": reference});
            assert_eq!(named(RecordPayment::parse(&bad).expect_err("it is bad")), ["reference"]);
        }
    }
}
