//! Two services' words about the same thing, side by side. Pure.

use std::collections::HashMap;
use tramline_contract::{CustomerId, OrderId, OrderState, SearchHit, Timestamp, Version};
use tramline_customers::invariants::Replayed;
use tramline_order_history::{ViewCustomer, ViewOrder};
use tramline_orders::invariants::Truth;

type Accounts = HashMap<CustomerId, Replayed>;

/// How many orders each customer has placed.
pub(super) fn count_orders(truth: &[(OrderId, Truth)]) -> HashMap<CustomerId, i64> {
    let mut counts = HashMap::new();
    for (_, order) in truth {
        *counts.entry(order.customer_id).or_default() += 1;
    }
    counts
}

/// Credit is held for exactly the orders that are approved or about to change, at exactly their totals.
pub(super) fn reservations(truth: &[(OrderId, Truth)], accounts: &Accounts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, order) in truth {
        let held = accounts.get(&order.customer_id).and_then(|account| account.reservations.get(id));
        match (order.state, held) {
            (OrderState::Approved | OrderState::CancelPending, Some(held)) if *held == order.total => {}
            (OrderState::Rejected | OrderState::Cancelled, None) => {}
            // The order that is being cancelled holds its credit until its saga has released it, and says so later.
            (OrderState::CancelPending, None) => {}
            // The credit of a revised order is the old total or the new one, whichever step its saga is at.
            (OrderState::RevisionPending, Some(held)) if *held == order.total || Some(*held) == order.proposed => {}
            // Its saga is not over, which is told where sagas are.
            (OrderState::Pending, _) => {}
            (state, held) => {
                let held = held.map_or_else(|| "no credit".to_owned(), ToString::to_string);
                wrong.push(format!("order {id} over {} is {}, but {held} is held for it", order.total, state.as_str()));
            }
        }
    }
    let orders: HashMap<_, _> = truth.iter().map(|(id, order)| (*id, order.customer_id)).collect();
    for (customer, account) in accounts {
        for order in account.reservations.keys().filter(|order| orders.get(order) != Some(customer)) {
            wrong.push(format!("customer {customer}: credit is held for order {order}, which is not this customer's"));
        }
    }
    wrong
}

/// The view of customers says what their events say.
pub(super) fn customers(accounts: &Accounts, counted: &HashMap<CustomerId, i64>, view: &[ViewCustomer]) -> Vec<String> {
    let mut wrong = Vec::new();
    let shown: HashMap<_, _> = view.iter().map(|customer| (customer.id, customer)).collect();
    for (id, Replayed { account, version, .. }) in accounts {
        let expected = ViewCustomer {
            id: *id,
            name: account.name.clone(),
            credit_limit: account.credit_limit,
            reserved: account.reserved,
            paid: account.paid,
            version: *version,
            order_count: counted.get(id).copied().unwrap_or(0),
        };
        match shown.get(id) {
            None => wrong.push(format!("customer {id}: the view does not show it")),
            Some(found) if **found != expected => {
                wrong.push(format!(
                    "customer {id}: the view shows {}, but it is {}",
                    customer(found),
                    customer(&expected)
                ));
            }
            Some(_) => {}
        }
    }
    let unknown = view.iter().filter(|customer| !accounts.contains_key(&customer.id));
    wrong.extend(unknown.map(|customer| format!("customer {}: the view shows it, but it does not exist", customer.id)));
    wrong
}

/// Without the name, which is nobody's business in a log.
fn customer(shown: &ViewCustomer) -> String {
    let ViewCustomer { credit_limit, reserved, paid, version, order_count, .. } = shown;
    format!("version {version} with limit {credit_limit}, reserved {reserved}, paid {paid}, {order_count} orders")
}

/// The view of orders says what the orders are.
pub(super) fn orders(truth: &[(OrderId, Truth)], view: &[ViewOrder]) -> Vec<String> {
    let mut wrong = Vec::new();
    let shown: HashMap<_, _> = view.iter().map(|order| (order.id, order)).collect();
    for (id, order) in truth {
        let expected = ViewOrder {
            id: *id,
            customer_id: order.customer_id,
            total: order.total,
            state: order.state.as_str().to_owned(),
            last_refusal: order.last_refusal.map(|reason| reason.as_str().to_owned()),
            version: order.version.0,
        };
        match shown.get(id) {
            None => wrong.push(format!("order {id}: the view does not show it")),
            Some(found) if **found != expected => {
                wrong.push(format!("order {id}: the view shows {}, but it is {}", state(found), state(&expected)));
            }
            Some(_) => {}
        }
    }
    let known: HashMap<_, _> = truth.iter().map(|(id, order)| (*id, order)).collect();
    let unknown = view.iter().filter(|order| !known.contains_key(&order.id));
    wrong.extend(unknown.map(|order| format!("order {}: the view shows it, but it does not exist", order.id)));
    wrong
}

/// The search view finds every customer and order, and says of each what is true.
pub(super) fn search(truth: &[(OrderId, Truth)], accounts: &Accounts, hits: &[SearchHit]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: HashMap<uuid::Uuid, &str> = accounts.keys().map(|id| (id.0, "customer")).collect();
    missing.extend(truth.iter().map(|(id, _)| (id.0, "order")));
    let orders: HashMap<_, _> = truth.iter().map(|(id, order)| (*id, order)).collect();
    for hit in hits {
        let (id, expected) = match hit {
            SearchHit::Customer { id, .. } => (id.0, accounts.get(id).map(|account| customer_hit(*id, account))),
            SearchHit::Order { id, .. } => (id.0, orders.get(id).map(|order| order_hit(*id, order, accounts))),
        };
        missing.remove(&id);
        if expected.as_ref() != Some(&without_time(hit)) {
            wrong
                .push(format!("document {id}: the search view shows something else than its owner, or alone shows it"));
        }
    }
    wrong.extend(missing.into_iter().map(|(id, kind)| format!("{kind} {id}: the search view does not show it")));
    wrong
}

fn customer_hit(id: CustomerId, Replayed { account, version, .. }: &Replayed) -> SearchHit {
    let (version, created_at) = (Version(*version), Timestamp::default());
    SearchHit::Customer { id, name: account.name.clone(), version, created_at }
}

fn order_hit(id: OrderId, order: &Truth, accounts: &Accounts) -> SearchHit {
    let Truth { customer_id, total, state, version, .. } = *order;
    let customer_name = accounts.get(&customer_id).map(|customer| customer.account.name.clone());
    SearchHit::Order { id, customer_id, customer_name, total, state, version, created_at: Timestamp::default() }
}

fn without_time(hit: &SearchHit) -> SearchHit {
    let mut hit = hit.clone();
    match &mut hit {
        SearchHit::Customer { created_at, .. } | SearchHit::Order { created_at, .. } => {
            *created_at = Timestamp::default();
        }
    }
    hit
}

fn state(shown: &ViewOrder) -> String {
    let ViewOrder { customer_id, total, state, version, .. } = shown;
    format!("{state} in version {version} over {total} of customer {customer_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tramline_contract::{Money, Version};
    use tramline_customers::Account;
    use uuid::Uuid;

    const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(1));
    const ORDER: OrderId = OrderId(Uuid::from_u128(2));
    const TOTAL: Money = Money::from_minor(30_00);

    fn truth(state: OrderState) -> Truth {
        let proposed = (state == OrderState::RevisionPending).then_some(Money::from_minor(45_00));
        Truth { customer_id: CUSTOMER, total: TOTAL, proposed, state, last_refusal: None, version: Version(2) }
    }

    fn order(state: OrderState) -> Vec<(OrderId, Truth)> {
        vec![(ORDER, truth(state))]
    }

    fn account(held: &[(OrderId, Money)]) -> Accounts {
        let account = Account {
            reserved: Money::from_minor(held.iter().map(|(_, money)| money.minor()).sum()),
            ..Account::default()
        };
        let reservations = held.iter().copied().collect();
        HashMap::from([(CUSTOMER, Replayed { account, version: 2, reservations, ..Replayed::default() })])
    }

    #[test]
    fn credit_is_held_for_approved_orders_alone_and_at_their_totals() {
        let held = account(&[(ORDER, TOTAL)]);
        assert_eq!(reservations(&order(OrderState::Approved), &held), Vec::<String>::new());
        assert_eq!(reservations(&order(OrderState::Rejected), &account(&[])), Vec::<String>::new());
        for (state, accounts) in [
            (OrderState::CancelPending, held.clone()),
            (OrderState::CancelPending, account(&[])),
            (OrderState::RevisionPending, held.clone()),
            (OrderState::RevisionPending, account(&[(ORDER, Money::from_minor(45_00))])),
        ] {
            assert_eq!(reservations(&order(state), &accounts), Vec::<String>::new(), "{state:?}");
        }
        for (state, accounts) in [
            (OrderState::RevisionPending, account(&[])),
            (OrderState::RevisionPending, account(&[(ORDER, Money::from_minor(46_00))])),
            (OrderState::CancelPending, account(&[(ORDER, Money::from_minor(1))])),
            (OrderState::Approved, account(&[])),
            (OrderState::Approved, account(&[(ORDER, Money::from_minor(1))])),
            (OrderState::Rejected, held.clone()),
            (OrderState::Cancelled, held.clone()),
        ] {
            assert_eq!(reservations(&order(state), &accounts).len(), 1, "{state:?}");
        }
        assert_eq!(reservations(&[], &held).len(), 1, "credit for an order that nobody knows");
    }

    #[test]
    fn the_view_shows_every_order_as_it_is_and_no_other() {
        let truth = order(OrderState::Approved);
        let shown = ViewOrder {
            id: ORDER,
            customer_id: CUSTOMER,
            total: TOTAL,
            state: "APPROVED".to_owned(),
            last_refusal: None,
            version: 2,
        };
        assert_eq!(orders(&truth, std::slice::from_ref(&shown)), Vec::<String>::new());
        for wrong in [
            ViewOrder { state: "REJECTED".to_owned(), ..shown.clone() },
            ViewOrder { version: 1, ..shown.clone() },
            ViewOrder { total: Money::ZERO, ..shown.clone() },
            ViewOrder { last_refusal: Some("INSUFFICIENT_CREDIT".to_owned()), ..shown.clone() },
        ] {
            assert_eq!(orders(&truth, &[wrong]).len(), 1);
        }
        assert_eq!(orders(&truth, &[]).len(), 1);
        assert_eq!(orders(&[], &[shown]).len(), 1);
    }

    #[test]
    fn the_search_view_finds_everything_as_it_is_and_nothing_else() {
        let (truth, accounts) = (order(OrderState::Approved), account(&[(ORDER, TOTAL)]));
        let (one, other) = (customer_hit(CUSTOMER, &accounts[&CUSTOMER]), order_hit(ORDER, &truth[0].1, &accounts));
        let hits = [one.clone(), other.clone()];
        assert_eq!(search(&truth, &accounts, &hits), Vec::<String>::new());
        assert_eq!(search(&truth, &accounts, &[one]).len(), 1);
        assert_eq!(search(&[], &accounts, &hits).len(), 1);
        assert_eq!(search(&order(OrderState::Rejected), &accounts, &hits).len(), 1);
    }

    #[test]
    fn the_view_shows_every_customer_as_it_is_and_no_other() {
        let (accounts, counted) = (account(&[(ORDER, TOTAL)]), HashMap::from([(CUSTOMER, 1)]));
        let shown = ViewCustomer {
            id: CUSTOMER,
            name: String::new(),
            credit_limit: Money::ZERO,
            reserved: TOTAL,
            paid: Money::ZERO,
            version: 2,
            order_count: 1,
        };
        assert_eq!(customers(&accounts, &counted, std::slice::from_ref(&shown)), Vec::<String>::new());
        let wrong = ViewCustomer { order_count: 2, ..shown.clone() };
        assert_eq!(customers(&accounts, &counted, &[wrong]).len(), 1);
        assert_eq!(customers(&accounts, &counted, &[]).len(), 1);
        assert_eq!(customers(&HashMap::new(), &counted, &[shown]).len(), 1);
    }
}
