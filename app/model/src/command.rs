//! What the user asks the server to do, and what comes back.

use crate::ask::Ask;
use serde::{Deserialize, Serialize};
use tramline_contract::{
    CancelOrder, Coordination, CreateCustomer, CreateOrder, CustomerId, CustomerName, Money, OrderId, PaymentId,
    PaymentReference, Problem, RecordPayment, ReviseOrder, SetCreditLimit, Version,
};
use uuid::Uuid;

/// A command. Those that make something have its id, which is the idempotency key, so sending them again does no harm. Those that
/// change something have an id of their own, which stays here; what a repetition of them means is told from the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Place an order.
    PlaceOrder {
        /// The new order.
        id: OrderId,
        /// Who buys.
        customer_id: CustomerId,
        /// What it costs.
        total: Money,
        /// Who leads its sagas. Journals of before have none.
        #[serde(default)]
        coordination: Coordination,
    },
    /// Add a customer.
    CreateCustomer {
        /// The new customer.
        id: CustomerId,
        /// What the customer is called.
        name: CustomerName,
        /// How much may be owed at most.
        credit_limit: Money,
    },
    /// Cancel an order.
    CancelOrder {
        /// Tells this command from others.
        id: Uuid,
        /// Which order.
        order: OrderId,
    },
    /// Give an order another total.
    ReviseOrder {
        /// Tells this command from others.
        id: Uuid,
        /// Which order.
        order: OrderId,
        /// What it shall cost.
        total: Money,
        /// The total that the user saw.
        basis: Basis,
    },
    /// Give a customer another credit limit.
    SetCreditLimit {
        /// Tells this command from others.
        id: Uuid,
        /// Which customer.
        customer: CustomerId,
        /// How much may be owed at most.
        credit_limit: Money,
        /// The limit that the user saw.
        basis: Basis,
    },
    /// Record what a customer has paid.
    RecordPayment {
        /// The payment, and its idempotency key.
        id: Uuid,
        /// Who paid.
        customer: CustomerId,
        /// How much.
        amount: Money,
        /// What it is booked under.
        reference: Option<PaymentReference>,
    },
}

/// The value that a change starts from. Nobody's change is written over one that the user has not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The value.
    pub value: Money,
    /// The version of the document that it was read from.
    pub version: Version,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// An order.
    Order(OrderId),
    /// A customer.
    Customer(CustomerId),
}

impl Aggregate {
    /// The id, whatever it names.
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::Order(id) => id.0,
            Self::Customer(id) => id.0,
        }
    }
}

impl Command {
    /// What the command is known by here: the new aggregate's id, or its own.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::PlaceOrder { id, .. } => id.0,
            Self::CreateCustomer { id, .. } => id.0,
            Self::CancelOrder { id, .. }
            | Self::ReviseOrder { id, .. }
            | Self::SetCreditLimit { id, .. }
            | Self::RecordPayment { id, .. } => *id,
        }
    }

    /// What it makes or changes.
    #[must_use]
    pub fn aggregate(&self) -> Aggregate {
        match self {
            Self::PlaceOrder { id, .. } => Aggregate::Order(*id),
            Self::CancelOrder { order, .. } | Self::ReviseOrder { order, .. } => Aggregate::Order(*order),
            Self::CreateCustomer { id, .. } => Aggregate::Customer(*id),
            Self::SetCreditLimit { customer, .. } | Self::RecordPayment { customer, .. } => {
                Aggregate::Customer(*customer)
            }
        }
    }

    /// What it changes; nothing when it makes something new.
    #[must_use]
    pub fn changes(&self) -> Option<Aggregate> {
        (!matches!(self, Self::PlaceOrder { .. } | Self::CreateCustomer { .. })).then(|| self.aggregate())
    }

    /// The new value, and the one that the user saw; only of a command that puts one value in another's place.
    #[must_use]
    pub fn revision(&self) -> Option<(Money, Basis)> {
        match self {
            Self::ReviseOrder { total, basis, .. } => Some((*total, *basis)),
            Self::SetCreditLimit { credit_limit, basis, .. } => Some((*credit_limit, *basis)),
            Self::PlaceOrder { .. }
            | Self::CreateCustomer { .. }
            | Self::CancelOrder { .. }
            | Self::RecordPayment { .. } => None,
        }
    }

    /// Starts it from another value.
    pub(crate) fn rebase(&mut self, from: Basis) {
        if let Self::ReviseOrder { basis, .. } | Self::SetCreditLimit { basis, .. } = self {
            *basis = from;
        }
    }

    /// The customer and the total of an order that it places.
    #[must_use]
    pub fn placed(&self) -> Option<(OrderId, CustomerId, Money)> {
        if let Self::PlaceOrder { id, customer_id, total, .. } = self {
            Some((*id, *customer_id, *total))
        } else {
            None
        }
    }

    /// Who leads the sagas of an order that it places.
    #[must_use]
    pub fn coordination(&self) -> Option<Coordination> {
        if let Self::PlaceOrder { coordination, .. } = self { Some(*coordination) } else { None }
    }

    /// The name and the limit of a customer that it makes.
    #[must_use]
    pub fn created(&self) -> Option<(CustomerId, &CustomerName, Money)> {
        if let Self::CreateCustomer { id, name, credit_limit } = self { Some((*id, name, *credit_limit)) } else { None }
    }

    /// Where it is posted.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::PlaceOrder { .. } => "/api/orders".to_owned(),
            Self::CreateCustomer { .. } => "/api/customers".to_owned(),
            Self::CancelOrder { order, .. } => format!("/api/orders/{order}/cancel"),
            Self::ReviseOrder { order, .. } => format!("/api/orders/{order}/revise"),
            Self::SetCreditLimit { customer, .. } => format!("/api/customers/{customer}/credit-limit"),
            Self::RecordPayment { customer, .. } => format!("/api/customers/{customer}/payments"),
        }
    }

    /// The JSON that is posted.
    #[must_use]
    pub fn body(&self) -> String {
        let body = match self.clone() {
            Self::PlaceOrder { id, customer_id, total, coordination } => {
                serde_json::to_string(&CreateOrder { id: Some(id), customer_id, total, coordination })
            }
            Self::CreateCustomer { id, name, credit_limit } => {
                serde_json::to_string(&CreateCustomer { id: Some(id), name, credit_limit })
            }
            Self::CancelOrder { .. } => serde_json::to_string(&CancelOrder {}),
            Self::ReviseOrder { total, basis, .. } => {
                serde_json::to_string(&ReviseOrder { total, expected_version: Some(basis.version) })
            }
            Self::SetCreditLimit { credit_limit, basis, .. } => {
                serde_json::to_string(&SetCreditLimit { credit_limit, expected_version: Some(basis.version) })
            }
            Self::RecordPayment { id, amount, reference, .. } => {
                serde_json::to_string(&RecordPayment { id: Some(PaymentId(id)), amount, reference })
            }
        };
        body.expect("plain data is always JSON")
    }

    /// The read that shows whether it was carried out.
    #[must_use]
    pub fn check(&self) -> Ask {
        match self.aggregate() {
            Aggregate::Order(id) => Ask::Order { id, min_version: Version::FIRST },
            Aggregate::Customer(id) => Ask::Customer { id, min_version: Version::FIRST },
        }
    }
}

/// The server took a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    /// The version that the command made.
    pub version: Version,
}

/// Why there is no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came back, or nothing that can be read. What became of a command is not known.
    NoAnswer,
    /// The server answered with a problem.
    Problem(Problem),
}

impl Failure {
    /// Reads an answer that is no success; one that is no problem detail counts as none.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).map_or(Self::NoAnswer, Self::Problem)
    }

    /// The problem of a command that was certainly not carried out. Too busy or too slow is no refusal: it may be sent again.
    #[must_use]
    pub fn refusal(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) if (400..500).contains(&problem.status) => {
                (!matches!(problem.status, 408 | 425 | 429)).then_some(problem)
            }
            Self::Problem(_) | Self::NoAnswer => None,
        }
    }

    /// Whether the thing does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_posted_with_its_own_id() {
        let id = "018f0000-0000-7000-8000-000000000001";
        let command = Command::PlaceOrder {
            id: id.parse().expect("it is a UUID"),
            customer_id: id.parse().expect("it is a UUID"),
            total: Money::from_minor(1_050),
            coordination: Coordination::Choreography,
        };
        let body: serde_json::Value = serde_json::from_str(&command.body()).expect("it is JSON");
        assert_eq!((body["id"].as_str(), body["total"].as_str()), (Some(id), Some("10.50")));
        assert_eq!(body["coordination"], "choreography");
    }

    #[test]
    fn only_a_definite_refusal_ends_a_command() {
        let of = |status| Failure::Problem(Problem::new(status, "x", "x", "x"));
        assert!(of(422).refusal().is_some() && of(409).refusal().is_some());
        assert!([408, 429, 500, 503].into_iter().all(|status| of(status).refusal().is_none()));
        assert_eq!(Failure::parse("<html>"), Failure::NoAnswer);
    }
}
