//! One customer: as a row and as a page. Confirmed credit and what is on hold stay apart.

use super::{PageView, StaleBadge, Status, StatusKind, Trouble};
use crate::{
    command::Command,
    model::Model,
    pending::{Operation, Stage},
    text::{grouped, money, short_id},
};
use tramline_contract::{Customer, CustomerId, Money};

/// A customer in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerRow {
    /// Which.
    pub id: CustomerId,
    /// What the customer is called.
    pub name: String,
    /// How much may be owed at most, or shall be as soon as that is confirmed.
    pub credit_limit: String,
    /// The limit before, while a change is not confirmed.
    pub was: Option<String>,
    /// Held by orders; none while the customer is not confirmed.
    pub reserved: Option<String>,
    /// What is left.
    pub available: Option<String>,
    /// Whether more is owed than the limit allows.
    pub is_overdrawn: bool,
    /// How much of the limit is owed, which is what is reserved and not paid, in hundredths.
    pub used_percent: u8,
    /// How many orders there are.
    pub orders: Option<String>,
    /// The version; none while the customer is not confirmed.
    pub version: Option<String>,
    /// While the customer is on its way: how far.
    pub status: Option<Status>,
    /// Whether something newer exists.
    pub stale: Option<StaleBadge>,
}

/// A customer's own page.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerPage {
    /// What the row shows.
    pub row: CustomerRow,
    /// The whole id.
    pub id: String,
    /// The id, short.
    pub short_id: String,
    /// Paid so far; none when nothing was.
    pub paid: Option<String>,
    /// Payments on their way; none when there are none.
    pub being_paid: Option<String>,
    /// Whether it is confirmed, so that limit and payments can be changed.
    pub can_change: bool,
    /// The total of orders that are being decided; none when there are none.
    pub on_hold: Option<String>,
    /// How much of the limit that is, in hundredths.
    pub on_hold_percent: u8,
    /// When the customer was created, RFC 3339.
    pub created_at: Option<String>,
}

impl Model {
    /// A customer as a row.
    #[must_use]
    pub fn customer_row(&self, id: CustomerId) -> Option<CustomerRow> {
        let Some(customer) = self.customers.get(id) else { return self.pending_customer_row(id) };
        let wanted = self.pending.wanted(id.0);
        let change = self.pending.changes_of(id.0).next_back();
        Some(CustomerRow {
            id,
            name: customer.name.clone(),
            credit_limit: money(wanted.map_or(customer.credit_limit, |(wanted, _)| wanted)),
            was: wanted.map(|(_, operation)| money(operation.was.unwrap_or(customer.credit_limit))),
            reserved: Some(money(customer.reserved)),
            available: Some(money(customer.available_credit)),
            is_overdrawn: customer.available_credit < Money::ZERO,
            used_percent: used_percent(customer),
            orders: Some(grouped(customer.order_count.unsigned_abs())),
            version: Some(customer.version.to_string()),
            status: change
                .map(|change| way(change, "We couldn't confirm this change. Checking now, so don't make it again.")),
            stale: self.customers.staleness(id, self.now_ms).filter(|_| change.is_none()).map(StaleBadge::of),
        })
    }

    /// A customer as a page.
    #[must_use]
    pub fn customer_page(&self, id: CustomerId) -> PageView<CustomerPage> {
        let trouble = self.detail.trouble.as_ref().map(Trouble::of);
        let Some(row) = self.customer_row(id) else {
            return match trouble {
                Some(trouble) => PageView::Failed(trouble),
                None if self.detail.is_missing => PageView::Missing,
                None => PageView::Loading,
            };
        };
        let customer = self.customers.get(id);
        let on_hold = self.on_hold(id);
        let payments = self.pending.changes_of(id.0).filter_map(|operation| match operation.command {
            Command::RecordPayment { amount, .. } => Some(amount.minor()),
            _ => None,
        });
        let being_paid = Money::from_minor(payments.sum());
        let page = CustomerPage {
            row,
            id: id.to_string(),
            short_id: short_id(id.0),
            paid: customer.map(|customer| customer.paid).filter(|paid| *paid != Money::ZERO).map(money),
            being_paid: (being_paid != Money::ZERO).then(|| money(being_paid)),
            can_change: customer.is_some(),
            on_hold: (on_hold != Money::ZERO).then(|| money(on_hold)),
            on_hold_percent: customer.map_or(0, |customer| percent(on_hold, customer.credit_limit)),
            created_at: customer.map(|customer| customer.created_at.0.clone()),
        };
        PageView::Ready(page, trouble)
    }

    fn pending_customer_row(&self, id: CustomerId) -> Option<CustomerRow> {
        let operation = self.pending.customer(id)?;
        let (_, name, credit_limit) = operation.command.created()?;
        Some(CustomerRow {
            id,
            name: name.as_str().to_owned(),
            credit_limit: money(credit_limit),
            was: None,
            reserved: None,
            available: None,
            is_overdrawn: false,
            used_percent: 0,
            orders: None,
            version: None,
            status: Some(way(operation, "We couldn't confirm this customer. Checking now, so don't add it again.")),
            stale: None,
        })
    }
}

/// How far a command is on its way, with a word of warning for when nobody knows.
fn way(operation: &Operation, doubt: &'static str) -> Status {
    let (kind, label, note) = match operation.stage {
        Stage::Accepted { .. } => (StatusKind::Pending, "Saving", None),
        _ if operation.in_doubt => (StatusKind::Checking, "Checking…", Some(doubt)),
        _ => (StatusKind::Sending, "Sending", None),
    };
    Status { kind, label: label.to_owned(), note }
}

/// What is reserved and not paid, of the limit. Whoever has paid more than is reserved uses none of it.
fn used_percent(customer: &Customer) -> u8 {
    let owed = Money::from_minor(customer.credit_limit.minor() - customer.available_credit.minor());
    percent(owed, customer.credit_limit)
}

fn percent(part: Money, whole: Money) -> u8 {
    match whole.minor() {
        ..=0 => u8::from(part > Money::ZERO) * 100,
        whole => (part.minor().max(0).saturating_mul(100) / whole).min(100) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn what_is_paid_is_not_owed_any_more() {
        let customer = Customer {
            reserved: Money::from_minor(300_000),
            paid: Money::from_minor(260_000),
            available_credit: Money::from_minor(60_000),
            ..fixtures::customer(1, 3)
        };
        assert_eq!(used_percent(&customer), 40);
        assert_eq!(used_percent(&Customer { available_credit: Money::from_minor(110_000), ..customer }), 0);
    }
}
