//! Customers: the command that makes one and the document that shows one.

use crate::{CustomerId, FieldError, Money, Order, Timestamp, Version, fields::Fields};
use serde::{Deserialize, Serialize};

/// A customer's name: trimmed, 1 to 200 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CustomerName(String);

impl CustomerName {
    /// The most characters that a name may have.
    pub const MAX_CHARS: usize = 200;

    /// Parses a name, dropping white space around it.
    ///
    /// # Errors
    /// Says what is wrong, to be read after the field's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            Err("must not be empty")
        } else if text.chars().count() > Self::MAX_CHARS {
            Err("must have at most 200 characters")
        } else if text.chars().any(char::is_control) {
            Err("must not contain control characters")
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `POST /api/customers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateCustomer {
    /// The customer's id and the idempotency key; made by the server when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CustomerId>,
    /// What the customer is called.
    pub name: CustomerName,
    /// How much may be owed at most; may be zero.
    pub credit_limit: Money,
}

impl CreateCustomer {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let id = fields.optional_id("id").map(CustomerId);
        let name = fields.required("name", |value| match value.as_str() {
            Some(text) => CustomerName::parse(text).map_err(str::to_owned),
            None => Err("must be a text".to_owned()),
        });
        let credit_limit = fields.money("creditLimit");
        fields.finish()?;
        match (name, credit_limit) {
            (Some(name), Some(credit_limit)) => Ok(Self { id, name, credit_limit }),
            _ => Err(Vec::new()),
        }
    }
}

/// A customer as the view shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Customer {
    /// Names the customer.
    pub id: CustomerId,
    /// What the customer is called.
    pub name: String,
    /// How much may be owed at most.
    pub credit_limit: Money,
    /// Held by approved and pending orders.
    pub reserved: Money,
    /// Paid so far.
    pub paid: Money,
    /// `creditLimit − reserved + paid`; may be negative after the limit was lowered.
    pub available_credit: Money,
    /// The events that this document includes.
    pub version: Version,
    /// When the customer was created.
    pub created_at: Timestamp,
    /// How many orders the customer has placed, whatever became of them.
    pub order_count: i64,
}

/// `GET /api/customers/{id}/orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CustomerOrders {
    /// The customer; null when the service that owns it is missing.
    pub customer: Option<Customer>,
    /// The customer's newest orders, newest first, at most 100. Empty when the service that owns them is missing, and then
    /// the customer's `orderCount` is 0.
    pub orders: Vec<Order>,
    /// `view` or `composition`.
    pub source: String,
    /// Whether every service that owns a part has answered.
    pub complete: bool,
    /// The services that have not answered; absent when all have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_parsed_or_every_bad_field_is_named() {
        let good = CreateCustomer::parse(&json!({"name": "  Ada  ", "creditLimit": 10.5})).expect("it is good");
        assert_eq!((good.name.as_str(), good.credit_limit.minor(), good.id), ("Ada", 1_050, None));

        let errors = CreateCustomer::parse(&json!({"id": 7, "name": "", "creditLimit": "-1.00", "limit": 1}))
            .expect_err("it is bad");
        let named: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, ["id", "name", "creditLimit", "limit"]);
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        assert!(CreateCustomer::parse(&json!([1])).is_err());
    }
}
