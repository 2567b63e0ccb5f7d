//! Lists: every filter with every size of page, held against a plain list.

use crate::{
    events::{approved, customer, customer_id, order_id, placed, rejected},
    stores::{Instance, TestStore, on_every_store},
};
use tramline_contract::{Customer, Order, OrderState, Page};

on_every_store!(
    every_list_is_whole_on_pages_of_any_size,
    a_page_goes_on_after_an_order_that_has_left_the_list,
    a_customers_history_is_its_newest_orders,
);

const NAMES: [&str; 4] = ["Ada Lovelace", "Grace Hopper", "ÄRGER & Söhne", "ada_b%"];
const ORDERS: u128 = 60;

/// Customer, time of creation and fate of an order. Many are made at the same moment.
fn plan(number: u128) -> (u128, i64, OrderState) {
    let state = match number % 3 {
        0 => OrderState::Pending,
        1 => OrderState::Approved,
        _ => OrderState::Rejected,
    };
    // The last customer of all is one that nobody has heard of.
    (number % 5 + 1, i64::try_from(1_764_000_000_000_000 + number / 7).expect("it is small"), state)
}

async fn fill(desk: &Instance) {
    let names = NAMES.iter().zip(1..).map(|(name, number)| customer(number, 1, name));
    desk.tell(&names.collect::<Vec<_>>()).await;
    for numbers in (0..ORDERS).collect::<Vec<_>>().chunks(17) {
        let placed = numbers.iter().map(|number| placed(*number, plan(*number).0, plan(*number).1));
        desk.tell(&placed.collect::<Vec<_>>()).await;
        let decided = numbers.iter().filter_map(|number| match plan(*number) {
            (customer, at, OrderState::Approved) => Some(approved(*number, customer, at)),
            (customer, at, OrderState::Rejected) => Some(rejected(*number, customer, at)),
            _ => None,
        });
        desk.tell(&decided.collect::<Vec<_>>()).await;
    }
}

/// The numbers of the orders that should be listed, newest first.
fn expected(fits: impl Fn(u128) -> bool) -> Vec<String> {
    let mut numbers: Vec<u128> = (0..ORDERS).filter(|number| fits(*number)).collect();
    numbers.sort_by_key(|number| std::cmp::Reverse((plan(*number).1, order_id(*number).0)));
    numbers.into_iter().map(|number| order_id(number).to_string()).collect()
}

fn name_of(number: u128) -> String {
    let index = usize::try_from(plan(number).0 - 1).expect("it is small");
    NAMES.get(index).map(|name| name.to_lowercase()).unwrap_or_default()
}

/// A list to its end, page by page.
async fn walk<T: serde::de::DeserializeOwned>(desk: &Instance, path: &str, limit: usize) -> Vec<T> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Page<T> =
            serde_json::from_value(desk.json(&format!("{path}&limit={limit}{cursor}")).await).expect("it is a page");
        assert!(page.items.len() <= limit && (page.next_cursor.is_none() || page.items.len() == limit));
        items.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

async fn every_list_is_whole_on_pages_of_any_size(store: TestStore) {
    let desk = store.instance().await;
    fill(&desk).await;
    let second = customer_id(2);
    let cases: Vec<(String, Vec<String>)> = vec![
        ("/orders?".to_owned(), expected(|_| true)),
        ("/orders?state=APPROVED".to_owned(), expected(|number| plan(number).2 == OrderState::Approved)),
        ("/orders?state=CANCELLED".to_owned(), Vec::new()),
        (format!("/orders?customerId={second}"), expected(|number| plan(number).0 == 2)),
        (
            format!("/orders?customerId={second}&state=REJECTED"),
            expected(|number| plan(number).0 == 2 && plan(number).2 == OrderState::Rejected),
        ),
        ("/orders?q=ADA".to_owned(), expected(|number| name_of(number).contains("ada"))),
        ("/orders?q=%C3%A4rger%20%26".to_owned(), expected(|number| name_of(number).contains("ärger"))),
        ("/orders?q=b%25&state=PENDING".to_owned(), expected(|n| n % 3 == 0 && name_of(n).contains("b%"))),
        ("/orders?q=7000".to_owned(), expected(|_| true)),
        ("/orders?q=70000000-0000-0000-0000-00000000000".to_owned(), expected(|number| number < 16)),
        ("/orders?q=-".to_owned(), expected(|_| true)),
        ("/orders?q=nobody".to_owned(), Vec::new()),
    ];
    for (path, expected) in cases {
        for limit in [1, 7, 59, 60, 100] {
            let found = walk::<Order>(&desk, &path, limit).await;
            let found: Vec<_> = found.into_iter().map(|order| order.id.to_string()).collect();
            assert_eq!(found, expected, "{path} by {limit}");
        }
    }
    for (path, expected) in
        [("/customers?", vec![4, 3, 2, 1]), ("/customers?q=ADA", vec![4, 1]), ("/customers?q=s%C3%B6", vec![3])]
    {
        for limit in [1, 2, 4, 100] {
            let found: Vec<_> = walk::<Customer>(&desk, path, limit).await.iter().map(|one| one.id).collect();
            assert_eq!(found, expected.iter().map(|number| customer_id(*number)).collect::<Vec<_>>(), "{path}");
        }
    }
}

async fn a_page_goes_on_after_an_order_that_has_left_the_list(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&(1..=4).map(|number| placed(number, 1, 10)).collect::<Vec<_>>()).await;
    let first = desk.json("/orders?state=PENDING&limit=2").await;
    desk.tell(&[approved(3, 1, 10)]).await;
    let cursor = first["nextCursor"].as_str().expect("there is more");
    let second = desk.json(&format!("/orders?state=PENDING&limit=2&cursor={cursor}")).await;
    let ids = |page: &serde_json::Value| {
        page["items"].as_array().expect("a list").iter().map(|order| order["id"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), [4, 3].map(|number| format!("\"{}\"", order_id(number))));
    assert_eq!(ids(&second), [2, 1].map(|number| format!("\"{}\"", order_id(number))));
}

async fn a_customers_history_is_its_newest_orders(store: TestStore) {
    let desk = store.instance().await;
    desk.tell(&[customer(1, 1, "Ada"), customer(2, 1, "Bob"), placed(999, 2, 5)]).await;
    desk.tell(&(0..130).map(|number| placed(number, 1, 10)).collect::<Vec<_>>()).await;
    let found = desk.json(&format!("/customers/{}/orders", customer_id(1))).await;
    assert_eq!((found["customer"]["orderCount"].as_i64(), found["complete"].as_bool()), (Some(130), Some(true)));
    let orders = found["orders"].as_array().expect("a list");
    assert_eq!((orders.len(), &orders[0]["id"]), (100, &serde_json::json!(order_id(129))));
}
