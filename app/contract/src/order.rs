//! Orders: the command that places one and the document that shows one.

use crate::{CustomerId, FieldError, Money, OrderId, SagaId, Timestamp, Version, fields::Fields};
use serde::{Deserialize, Serialize};

/// Who leads the saga: one orchestrator, or the services by each other's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Coordination {
    /// An orchestrator sends commands and awaits replies.
    #[default]
    Orchestration,
    /// Each service acts on the events of the others.
    Choreography,
}

impl Coordination {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orchestration => "orchestration",
            Self::Choreography => "choreography",
        }
    }

    /// The coordination of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Orchestration, Self::Choreography].into_iter().find(|way| way.as_str() == text)
    }
}

/// Where an order stands. A `*Pending` state is the semantic lock of the saga that holds the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OrderState {
    /// Placed; its credit is not decided yet.
    Pending,
    /// Its credit is reserved.
    Approved,
    /// Refused; see the reason.
    Rejected,
    /// Being cancelled.
    CancelPending,
    /// Cancelled; its credit is free again.
    Cancelled,
    /// Its new total is being decided.
    RevisionPending,
}

impl OrderState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Approved, Self::Rejected, Self::CancelPending, Self::Cancelled, Self::RevisionPending];

    /// The state's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::CancelPending => "CANCEL_PENDING",
            Self::Cancelled => "CANCELLED",
            Self::RevisionPending => "REVISION_PENDING",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether no saga holds the order.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Approved | Self::Rejected | Self::Cancelled)
    }
}

/// Why an order was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RejectionReason {
    /// Nobody has this customer id.
    UnknownCustomer,
    /// The total was more than the credit left when the order was decided.
    InsufficientCredit,
}

impl RejectionReason {
    /// The reason's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownCustomer => "UNKNOWN_CUSTOMER",
            Self::InsufficientCredit => "INSUFFICIENT_CREDIT",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::UnknownCustomer, Self::InsufficientCredit].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// `POST /api/orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateOrder {
    /// The order's id and the idempotency key; made by the server when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<OrderId>,
    /// Who buys. An unknown customer's order is accepted, then rejected.
    pub customer_id: CustomerId,
    /// Above zero.
    pub total: Money,
    /// Orchestration when absent.
    #[serde(default)]
    pub coordination: Coordination,
}

impl CreateOrder {
    /// Parses a request body.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn parse(body: &serde_json::Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let id = fields.optional_id("id").map(OrderId);
        let customer_id = fields.id("customerId").map(CustomerId);
        let total = fields.amount("total");
        let coordination = fields
            .optional("coordination", |value| {
                let known = value.as_str().and_then(Coordination::parse);
                known.ok_or_else(|| "must be \"orchestration\" or \"choreography\"".to_owned())
            })
            .unwrap_or_default();
        fields.finish()?;
        match (customer_id, total) {
            (Some(customer_id), Some(total)) => Ok(Self { id, customer_id, total, coordination }),
            _ => Err(Vec::new()),
        }
    }
}

/// The answer to a command whose outcome a saga decides later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderAccepted {
    /// The order.
    pub id: OrderId,
    /// The version that the command made.
    pub version: Version,
    /// The state that the command made.
    pub state: OrderState,
    /// The saga that decides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_id: Option<SagaId>,
}

/// An order as the view shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    /// Names the order.
    pub id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What the customer is called; absent while the view has not heard of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// What the order costs.
    pub total: Money,
    /// Where it stands.
    pub state: OrderState,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_reason: Option<RejectionReason>,
    /// Why the last revision was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<RejectionReason>,
    /// Who leads its sagas.
    pub coordination: Coordination,
    /// The saga that holds or last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_id: Option<SagaId>,
    /// The events that this document includes.
    pub version: Version,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CUSTOMER: &str = "018f0000-0000-7000-8000-000000000001";

    #[test]
    fn a_body_is_parsed_or_every_bad_field_is_named() {
        let good = CreateOrder::parse(&json!({"customerId": CUSTOMER, "total": "30.00"})).expect("it is good");
        assert_eq!(good.total, Money::from_minor(3_000));

        let bad = json!({"customerId": "me", "total": 0, "coordination": "choir"});
        let named: Vec<_> =
            CreateOrder::parse(&bad).expect_err("it is bad").into_iter().map(|error| error.field).collect();
        assert_eq!(named, ["customerId", "total", "coordination"]);
    }

    #[test]
    fn every_state_has_the_name_that_serde_gives_it() {
        for state in OrderState::ALL {
            assert_eq!(serde_json::to_value(state).expect("a state is JSON"), json!(state.as_str()));
            assert_eq!(OrderState::parse(state.as_str()), Some(state));
        }
    }
}
