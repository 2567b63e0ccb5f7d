//! Lists: newest first, narrowed by filters, read page by page without loss or repetition.

use crate::desk::TestDesk;
use futures_util::future::join_all;

/// Reads a list to its end. Returns the ids and how many pages there were.
async fn pages(desk: &TestDesk, path: &str) -> (Vec<String>, usize) {
    let (mut ids, mut count, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = desk.json(&format!("{path}{cursor}")).await;
        let items = page["items"].as_array().expect("a list");
        ids.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        count += 1;
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (ids, count),
        }
    }
}

async fn ids(desk: &TestDesk, path: &str) -> Vec<String> {
    pages(desk, path).await.0
}

#[tokio::test]
async fn customers_are_found_newest_first_and_by_part_of_their_names() {
    let desk = TestDesk::start();
    let mut created = Vec::new();
    for name in ["Ada Lovelace", "Grace Hopper", "Änne Müller", "50% off_", "Adam Riese", "Grace Kelly", "Last"] {
        created.push(desk.customer(name, "1.00").await.to_string());
    }
    desk.get(&format!("/api/customers/{}?minVersion=1", created[6])).await;
    created.reverse();
    assert_eq!(pages(&desk, "/api/customers?limit=3").await, (created.clone(), 3));
    assert_eq!(pages(&desk, "/api/customers?limit=7").await, (created.clone(), 1));
    assert_eq!(ids(&desk, "/api/customers?limit=100").await, created);
    for (q, expected) in
        [("ada", vec![2, 6]), ("GRACE", vec![1, 5]), ("%C3%A4NNE", vec![4]), ("%25", vec![3]), ("_", vec![3])]
    {
        let expected: Vec<_> = expected.into_iter().map(|index| created[index].clone()).collect();
        assert_eq!(pages(&desk, &format!("/api/customers?limit=1&q={q}")).await.0, expected, "{q}");
    }
    assert!(ids(&desk, "/api/customers?q=nobody").await.is_empty());
}

#[tokio::test]
async fn the_owners_of_a_customer_and_its_orders_say_what_the_view_says() {
    let desk = TestDesk::start();
    let ada = desk.customer("Ada", "25.00").await;
    for _ in 0..4 {
        desk.order(ada, "10.00").await;
    }
    // Created, reserved twice, refused twice.
    desk.get(&format!("/api/customers/{ada}?minVersion=5")).await;
    let path = format!("/api/customers/{ada}/orders");
    let (mut view, composed) = (desk.json(&path).await, desk.json(&format!("{path}?source=composition")).await);
    assert_eq!((&view["source"], &composed["source"]), (&"view".into(), &"composition".into()));
    view["source"] = "composition".into();
    assert_eq!(view, composed);
    assert_eq!(composed["orders"].as_array().map(Vec::len), Some(4));
    let unknown = format!("/api/customers/{}/orders?source=composition", crate::desk::new_id());
    assert_eq!(desk.get(&unknown).await.status, 404);
}

#[tokio::test]
async fn orders_are_narrowed_by_state_customer_and_name() {
    let desk = TestDesk::start();
    let (ada, bob) = (desk.customer("Ada", "25.00").await, desk.customer("Bob", "100.00").await);
    let mut placed: Vec<(String, String, &str)> = Vec::new();
    for number in 0..12 {
        let (customer, name) = if number % 2 == 0 { (ada, "Ada") } else { (bob, "Bob") };
        let (id, state) = desk.order(customer, "10.00").await;
        placed.push((id.to_string(), state.as_str().to_owned(), name));
    }
    placed.reverse();
    let expected = |test: &dyn Fn(&(String, String, &str)) -> bool| {
        placed.iter().filter(|order| test(order)).map(|order| order.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(pages(&desk, "/api/orders?limit=5").await, (expected(&|_| true), 3));
    assert_eq!(ids(&desk, "/api/orders?limit=2&state=REJECTED").await, expected(&|order| order.1 == "REJECTED"));
    assert_eq!(ids(&desk, &format!("/api/orders?limit=4&customerId={ada}")).await, expected(&|order| order.2 == "Ada"));
    let both = format!("/api/orders?limit=1&customerId={ada}&state=APPROVED");
    assert_eq!(ids(&desk, &both).await, expected(&|order| order.2 == "Ada" && order.1 == "APPROVED"));
    assert_eq!(ids(&desk, "/api/orders?limit=4&q=bo").await, expected(&|order| order.2 == "Bob"));
    assert!(ids(&desk, "/api/orders?state=PENDING").await.is_empty());

    let history = desk.json(&format!("/api/customers/{ada}/orders")).await;
    let shown: Vec<_> = history["orders"].as_array().expect("a list").iter().map(|order| &order["id"]).collect();
    assert_eq!(shown, expected(&|order| order.2 == "Ada").iter().collect::<Vec<_>>());
    assert_eq!(
        (&history["customer"]["name"], &history["source"], &history["complete"]),
        (&"Ada".into(), &"view".into(), &true.into())
    );
}

#[tokio::test]
async fn what_comes_while_a_list_is_read_neither_hides_nor_repeats_an_item() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "1000.00").await;
    let old = join_all((0..30).map(|_| desk.order(customer, "1.00"))).await;
    let mut seen: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = desk.json(&format!("/api/orders?limit=4{cursor}")).await;
        let items = page["items"].as_array().expect("a list");
        seen.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        desk.order(customer, "1.00").await;
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let mut expected: Vec<_> = old.iter().map(|(id, _)| id.to_string()).collect();
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_has_twenty_items_unless_it_is_told_otherwise() {
    let desk = TestDesk::start();
    let names: Vec<_> = (0..101).map(|number| format!("Customer {number}")).collect();
    let created = join_all(names.iter().map(|name| desk.customer(name, "1.00"))).await;
    for id in &created {
        desk.get(&format!("/api/customers/{id}?minVersion=1")).await;
    }
    let count = async |path: &str| desk.json(path).await["items"].as_array().map_or(0, Vec::len);
    assert_eq!(count("/api/customers").await, 20);
    assert_eq!(count("/api/customers?limit=100").await, 100);
    assert_eq!(pages(&desk, "/api/customers?limit=100").await.1, 2);
}
