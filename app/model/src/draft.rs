//! The two forms: what the user has typed, and whether it makes a command. A draft is text; a command is proof.

use crate::command::Command;
use serde::{Deserialize, Serialize};
use tramline_contract::{Coordination, CustomerId, CustomerName, FieldError, Money, OrderId};

/// An order that is being filled in. Its id is chosen when the form opens, so submitting twice is one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDraft {
    /// The order's id to be.
    pub id: OrderId,
    /// Who buys.
    pub customer: Option<CustomerId>,
    /// The total as typed.
    pub total: String,
    /// Who shall lead its sagas.
    #[serde(default)]
    pub coordination: Coordination,
    /// What is wrong, field by field; only what was submitted is judged.
    #[serde(skip)]
    pub errors: Vec<FieldError>,
    /// Whether it was refused because the device has no network.
    #[serde(skip)]
    pub was_offline: bool,
}

/// A customer that is being filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerDraft {
    /// The customer's id to be.
    pub id: CustomerId,
    /// The name as typed.
    pub name: String,
    /// The limit as typed.
    pub credit_limit: String,
    /// What is wrong, field by field.
    pub errors: Vec<FieldError>,
    /// Whether it was refused because the device has no network.
    pub was_offline: bool,
}

impl OrderDraft {
    /// An empty form.
    #[must_use]
    pub fn new(id: OrderId, customer: Option<CustomerId>) -> Self {
        let coordination = Coordination::default();
        Self { id, customer, total: String::new(), coordination, errors: Vec::new(), was_offline: false }
    }

    /// The total, if what is typed is one.
    #[must_use]
    pub fn total(&self) -> Option<Money> {
        typed_money(&self.total).ok().filter(|total| *total > Money::ZERO)
    }

    /// The command, or what is wrong.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn command(&self) -> Result<Command, Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.customer.is_none() {
            errors.push(field_error("customerId", "Choose a customer from the list."));
        }
        let total = match typed_money(&self.total) {
            Ok(Money::ZERO) => Err("The total must be above zero.".to_owned()),
            Ok(total) => Ok(total),
            Err(message) => Err(format!("The total {message}.")),
        };
        match (self.customer, total) {
            (Some(customer_id), Ok(total)) => {
                Ok(Command::PlaceOrder { id: self.id, customer_id, total, coordination: self.coordination })
            }
            (_, total) => {
                errors.extend(total.err().map(|message| field_error("total", message)));
                Err(errors)
            }
        }
    }
}

impl CustomerDraft {
    /// An empty form.
    #[must_use]
    pub fn new(id: CustomerId) -> Self {
        Self { id, name: String::new(), credit_limit: String::new(), errors: Vec::new(), was_offline: false }
    }

    /// The command, or what is wrong.
    ///
    /// # Errors
    /// Every field at fault.
    pub fn command(&self) -> Result<Command, Vec<FieldError>> {
        let name =
            CustomerName::parse(&self.name).map_err(|message| field_error("name", format!("The name {message}.")));
        let credit_limit = typed_money(&self.credit_limit)
            .map_err(|message| field_error("creditLimit", format!("The credit limit {message}.")));
        match (name, credit_limit) {
            (Ok(name), Ok(credit_limit)) => Ok(Command::CreateCustomer { id: self.id, name, credit_limit }),
            (name, credit_limit) => Err([name.err(), credit_limit.err()].into_iter().flatten().collect()),
        }
    }
}

/// The error of a field, to be shown at it.
#[must_use]
pub fn error_of<'a>(errors: &'a [FieldError], field: &str) -> Option<&'a str> {
    errors.iter().find(|error| error.field == field).map(|error| error.message.as_str())
}

/// Reads an amount as a person types it: spaces and well-placed group commas are no fault.
pub(crate) fn typed_money(text: &str) -> Result<Money, String> {
    let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    let (whole, decimals) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let groups: Vec<_> = whole.split(',').collect();
    let well_placed = groups[0].len() <= 3 && !groups[0].is_empty() && groups[1..].iter().all(|group| group.len() == 3);
    let plain = if groups.len() > 1 && well_placed { groups.concat() } else { whole.to_owned() };
    let plain = decimals.map_or(plain.clone(), |decimals| format!("{plain}.{decimals}"));
    Money::parse(&plain).map_err(|error| error.to_string().replace('"', ""))
}

pub(crate) fn field_error(field: &str, message: impl Into<String>) -> FieldError {
    FieldError { field: field.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn amounts_are_read_as_people_type_them() {
        for (text, minor) in
            [("900", 90_000), (" 1,234.50 ", 123_450), ("1 234.5", 123_450), ("1,000,000", 100_000_000)]
        {
            assert_eq!(typed_money(text), Ok(Money::from_minor(minor)), "{text}");
        }
        for text in ["", "1,23", "1234,50", ",5", "1.", "x", "-4", "0.001"] {
            assert!(typed_money(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_empty_form_names_every_missing_field() {
        let order = OrderDraft::new(OrderId(Uuid::from_u128(1)), None);
        let errors = order.command().expect_err("it is empty");
        assert!(error_of(&errors, "customerId").is_some() && error_of(&errors, "total").is_some());
        let customer = CustomerDraft::new(CustomerId(Uuid::from_u128(1)));
        assert_eq!(customer.command().expect_err("it is empty").len(), 2);
    }

    #[test]
    fn a_limit_may_be_zero_but_a_total_may_not() {
        let mut order = OrderDraft::new(OrderId(Uuid::from_u128(1)), Some(CustomerId(Uuid::from_u128(2))));
        order.total = "0".to_owned();
        assert_eq!(error_of(&order.command().expect_err("it is zero"), "total"), Some("The total must be above zero."));
        let mut customer = CustomerDraft::new(CustomerId(Uuid::from_u128(1)));
        (customer.name, customer.credit_limit) = ("Ada".to_owned(), "0".to_owned());
        assert!(customer.command().is_ok());
    }
}
