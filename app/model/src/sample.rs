//! A small sample for an empty desk: a handful of customers and some orders, of which a few ask for too much.
//!
//! They go through the public API like anything a user types.

use crate::command::Command;
use tramline_contract::{Coordination, CustomerId, CustomerName, Money, OrderId};
use uuid::Uuid;

/// Name and credit limit in whole units.
const CUSTOMERS: [(&str, i64); 6] = [
    ("Acme Tools", 12_000),
    ("Borealis Foods", 8_000),
    ("Cobalt Printing", 3_500),
    ("Dune Outfitters", 15_000),
    ("Elm Street Books", 1_200),
    ("Fathom Marine", 20_000),
];

/// Which customer, and the total in hundredths.
const ORDERS: [(usize, i64); 20] = [
    (0, 245_000),
    (1, 189_950),
    (2, 97_500),
    (3, 410_000),
    (4, 34_900),
    (5, 725_000),
    (0, 118_075),
    (1, 264_000),
    (2, 151_020),
    (3, 89_900),
    (4, 129_900),
    (5, 318_450),
    (0, 560_000),
    (2, 225_000),
    (3, 274_999),
    (1, 76_500),
    (4, 45_000),
    (5, 99_000),
    (0, 390_000),
    (3, 641_200),
];

/// How many ids the sample needs.
pub const IDS: usize = CUSTOMERS.len() + ORDERS.len();

/// The sample's commands under these ids, customers first.
#[must_use]
pub fn commands(ids: &[Uuid]) -> Vec<Command> {
    let (customer_ids, order_ids) = ids.split_at(CUSTOMERS.len().min(ids.len()));
    let customers = CUSTOMERS.iter().zip(customer_ids).filter_map(|((name, limit), id)| {
        let name = CustomerName::parse(name).ok()?;
        let credit_limit = Money::from_minor(limit * 100);
        Some(Command::CreateCustomer { id: CustomerId(*id), name, credit_limit })
    });
    let orders = ORDERS.iter().zip(order_ids).filter_map(|((customer, total), id)| {
        let customer_id = CustomerId(*customer_ids.get(*customer)?);
        let total = Money::from_minor(*total);
        Some(Command::PlaceOrder { id: OrderId(*id), customer_id, total, coordination: Coordination::default() })
    });
    customers.chain(orders).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_makes_a_command_under_its_own_id() {
        let ids: Vec<_> = (0..IDS as u128).map(Uuid::from_u128).collect();
        let made: Vec<_> = commands(&ids).iter().map(Command::id).collect();
        assert_eq!(made, ids);
    }

    #[test]
    fn some_orders_ask_for_more_than_there_is() {
        let asked =
            |customer: usize| ORDERS.iter().filter(|order| order.0 == customer).map(|order| order.1).sum::<i64>();
        let too_much = CUSTOMERS.iter().enumerate().filter(|(place, (_, limit))| asked(*place) > limit * 100).count();
        assert!((1..CUSTOMERS.len()).contains(&too_much));
    }
}
