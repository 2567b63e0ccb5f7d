//! What the forms show beside their fields.

use super::PageView;
use crate::{filter::Needle, model::Model, text::money};
use tramline_contract::{CustomerId, Money};

/// A customer to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerOption {
    /// Which.
    pub id: CustomerId,
    /// What the customer is called.
    pub name: String,
    /// What is left, in words; empty while it is not known.
    pub left: String,
}

impl Model {
    /// The customers whose name contains a text, by name, at most `limit`.
    #[must_use]
    pub fn customer_options(&self, search: &str, limit: usize) -> Vec<CustomerOption> {
        let needle = Needle::of(search);
        let mut options: Vec<_> = self.customers.iter().filter(|customer| needle.is_in(&customer.name)).collect();
        options.sort_unstable_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        let confirmed = options.into_iter().take(limit).map(|customer| CustomerOption {
            id: customer.id,
            name: customer.name.clone(),
            left: format!("{} left", money(customer.available_credit)),
        });
        let created = self.pending.iter().filter_map(|operation| operation.command.created());
        let on_their_way = created
            .filter(|(_, name, _)| needle.is_in(name.as_str()))
            .map(|(id, name, _)| CustomerOption { id, name: name.as_str().to_owned(), left: String::new() });
        on_their_way.chain(confirmed).take(limit).collect()
    }

    /// What the chosen customer has left, for the order's form.
    #[must_use]
    pub fn credit_hint(&self) -> Option<String> {
        let customer = self.customers.get(self.order_draft.as_ref()?.customer?)?;
        let on_hold = self.on_hold(customer.id);
        let mut hint = format!(
            "{} has {} left of {}",
            customer.name,
            money(customer.available_credit),
            money(customer.credit_limit)
        );
        if on_hold > Money::ZERO {
            hint.push_str(&format!("; {} on hold", money(on_hold)));
        }
        hint.push('.');
        Some(hint)
    }

    /// Warns that the order may be rejected. Only a warning: the server decides, and by then the credit may be another.
    #[must_use]
    pub fn credit_warning(&self) -> Option<String> {
        let draft = self.order_draft.as_ref()?;
        let (customer, total) = (self.customers.get(draft.customer?)?, draft.total()?);
        let left = customer.available_credit.checked_sub(self.on_hold(customer.id))?;
        (total > left).then(|| {
            format!(
                "May be rejected: {} is more than the {} {} has left.",
                money(total),
                money(left.max(Money::ZERO)),
                customer.name
            )
        })
    }
}

impl<T> PageView<T> {
    /// What is shown, if anything is.
    #[must_use]
    pub fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(page, _) => Some(page),
            Self::Loading | Self::Missing | Self::Failed(_) => None,
        }
    }
}
