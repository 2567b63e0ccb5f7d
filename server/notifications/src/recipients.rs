//! From whom mails come and to whom they go.
//!
//! A customer has a name and a limit here, and no e-mail address, so the address is made from the customer's id by a template.
//! Whoever has a directory of customers points the template at a mail server that knows it (an alias, a virtual domain).

use lettre::Address;
use tramline_contract::CustomerId;

/// What stands for the customer's id.
const ID: &str = "{id}";

/// Sender and recipients, checked when they are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAddresses {
    from: Address,
    before: String,
    after: String,
}

/// An address that no mail could have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// The sender.
    #[error("the sender {0:?} is no e-mail address such as orders@example.org")]
    From(String),
    /// The template.
    #[error(
        "the recipient {0:?} must be an e-mail address with {{id}} for the customer's id, such as customer-{{id}}@example.org"
    )]
    To(String),
}

impl MailAddresses {
    /// The sender when none is set: the domain is one that never exists (RFC 2606), so nothing goes astray.
    pub const DEFAULT_FROM: &str = "orders@example.invalid";
    /// The recipients when none are set.
    pub const DEFAULT_TO: &str = "customer-{id}@example.invalid";

    /// A sender, and a template of recipients with `{id}` for the customer's id.
    ///
    /// # Errors
    /// When one of them is no address.
    pub fn parse(from: &str, to: &str) -> Result<Self, BadAddress> {
        let bad_to = || BadAddress::To(to.to_owned());
        let (before, after) = to.split_once(ID).ok_or_else(bad_to)?;
        let addresses = Self {
            from: from.parse().map_err(|_| BadAddress::From(from.to_owned()))?,
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let sample = addresses.text(CustomerId(uuid::Uuid::max()));
        let good = sample.parse::<Address>().is_ok() && sample.is_ascii() && addresses.from.to_string().is_ascii();
        if good && !after.contains(ID) { Ok(addresses) } else { Err(bad_to()) }
    }

    pub(crate) const fn from(&self) -> &Address {
        &self.from
    }

    /// The address of a customer.
    pub(crate) fn of(&self, customer: CustomerId) -> Address {
        // Every id is as long and made of the same characters as the one that was tried.
        self.text(customer).parse().unwrap_or_else(|_| self.from.clone())
    }

    fn text(&self, customer: CustomerId) -> String {
        format!("{}{customer}{}", self.before, self.after)
    }
}

impl Default for MailAddresses {
    fn default() -> Self {
        Self::parse(Self::DEFAULT_FROM, Self::DEFAULT_TO).expect("the defaults are addresses")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_has_the_address_that_the_template_makes_of_the_id() {
        let addresses = MailAddresses::parse("desk@example.org", "{id}@customers.example.org").expect("they are good");
        let id = CustomerId(uuid::Uuid::from_u128(5));
        assert_eq!(addresses.of(id).to_string(), format!("{id}@customers.example.org"));
    }

    #[test]
    fn what_can_be_no_address_is_refused_at_once() {
        for (from, to) in [
            ("desk", "{id}@example.org"),
            ("", "{id}@example.org"),
            ("desk@example.org", "all@example.org"),
            ("desk@example.org", "{id}"),
            ("desk@example.org", "{id}{id}@example.org"),
            ("desk@example.org", "{id}@exa mple.org"),
            ("desk@example.org", "{id}@example.org\r\nBcc: all@example.org"),
            // 64 characters at most before the sign.
            ("desk@example.org", "a-customer-of-this-desk-with-the-id-{id}@example.org"),
        ] {
            assert!(MailAddresses::parse(from, to).is_err(), "{from} {to}");
        }
    }
}
