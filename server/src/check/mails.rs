//! Orders and what their customers were told, side by side. Pure.

use std::collections::HashMap;
use tramline_contract::{MailAbout, OrderId, OrderState, Version};
use tramline_orders::invariants::Truth;

/// What was told of each order.
pub(super) type Told = HashMap<OrderId, Vec<(Version, MailAbout)>>;

/// A customer is told of an approval and of a rejection once, of each change once, and of nothing that has not happened.
pub(super) fn against_orders(truth: &[(OrderId, Truth)], told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, order) in truth {
        let mails = told.get(id).map(Vec::as_slice).unwrap_or_default();
        let count = |about| mails.iter().filter(|(_, told)| *told == about).count();
        let (approvals, rejections, ends) =
            (count(MailAbout::Approved), count(MailAbout::Rejected), count(MailAbout::Cancelled));
        let expected = match order.state {
            // Its saga is not over, which is told where sagas are.
            OrderState::Pending => (approvals, rejections, 0),
            OrderState::Rejected => (0, 1, 0),
            // The mail of its end may come with the next version.
            OrderState::CancelPending => (1, 0, ends),
            OrderState::Approved | OrderState::RevisionPending => (1, 0, 0),
            OrderState::Cancelled => (1, 0, 1),
        };
        if (approvals, rejections, ends) != expected {
            let state = order.state.as_str();
            wrong.push(format!(
                "order {id} is {state}, but its customer was told {approvals} times of an approval, {rejections} times of a \
                 rejection and {ends} times of a cancellation"
            ));
        }
    }
    let orders: HashMap<_, _> = truth.iter().map(|(id, order)| (*id, order.version)).collect();
    for (id, mails) in told {
        match (orders.get(id), mails.last()) {
            (None, _) => wrong.push(format!("order {id}: a customer was told of it, but it does not exist")),
            // Orders were read before mails, so a later version is one that came meanwhile; the next look sees both.
            (Some(version), Some((told, about))) if told > version => {
                wrong.push(format!(
                    "order {id} has version {version}, but {} was told of version {told}",
                    about.as_str()
                ));
            }
            (Some(_), _) => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use tramline_contract::{CustomerId, Money};
    use uuid::Uuid;

    const ORDER: OrderId = OrderId(Uuid::from_u128(2));

    fn order(state: OrderState) -> Vec<(OrderId, Truth)> {
        let (customer_id, total) = (CustomerId(Uuid::from_u128(1)), Money::from_minor(30_00));
        vec![(ORDER, Truth { customer_id, total, state, version: Version(2), last_refusal: None, proposed: None })]
    }

    fn told(mails: &[(i64, MailAbout)]) -> Told {
        HashMap::from([(ORDER, mails.iter().map(|(version, about)| (Version(*version), *about)).collect())])
    }

    #[test]
    fn every_decided_order_was_told_of_once_and_no_other() {
        for (state, about) in [(OrderState::Approved, MailAbout::Approved), (OrderState::Rejected, MailAbout::Rejected)]
        {
            assert_eq!(against_orders(&order(state), &told(&[(2, about)])), Vec::<String>::new());
            assert_eq!(against_orders(&order(state), &Told::new()).len(), 1, "nobody was told");
            assert_eq!(against_orders(&order(state), &told(&[(1, about), (2, about)])).len(), 1, "told twice");
        }
        assert_eq!(against_orders(&order(OrderState::Approved), &told(&[(2, MailAbout::Rejected)])).len(), 1);
        assert_eq!(against_orders(&order(OrderState::Cancelled), &told(&[(2, MailAbout::Approved)])).len(), 1);
    }

    #[test]
    fn nobody_is_told_of_what_has_not_happened() {
        assert_eq!(against_orders(&[], &told(&[(2, MailAbout::Approved)])).len(), 1);
        let ahead = told(&[(2, MailAbout::Approved), (3, MailAbout::Revised)]);
        assert_eq!(against_orders(&order(OrderState::Approved), &ahead).len(), 1);
    }
}
