//! Bulk loads: what is good arrives once and in sequence, what is bad is named by its line.

use crate::desk::{TestDesk, printed, read, tramline};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    process::Output,
};
use tramline_contract::Money;

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn import(desk: &TestDesk, folder: &Path) -> Output {
    let file = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (customers, orders) = (file("customers.csv"), file("orders.csv"));
    tramline(["import", "--customers", &customers, "--orders", &orders, "--url", &desk.url()])
}

/// The same with payments.
fn import_paid(desk: &TestDesk, folder: &Path) -> Output {
    let file = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let [customers, orders, payments] = ["customers.csv", "orders.csv", "payments.csv"].map(file);
    let url = desk.url();
    tramline(["import", "--customers", &customers, "--orders", &orders, "--payments", &payments, "--url", &url])
}

/// Every item of a list.
pub async fn all(desk: &TestDesk, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk.json(&format!("{path}?limit=100{cursor}")).await;
        items.extend(page["items"].as_array().expect("a list").iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

/// Everything that can be seen of a desk.
pub async fn picture(desk: &TestDesk) -> [Vec<Value>; 3] {
    [all(desk, "/api/customers").await, all(desk, "/api/orders").await, all(desk, "/api/sagas").await]
}

/// By the customer's name, the total and state of each order.
pub type Histories = BTreeMap<String, Vec<(String, String)>>;

/// The totals and states of each customer's orders, oldest first, by the customer's name.
pub async fn histories(desk: &TestDesk) -> Histories {
    let mut histories = BTreeMap::new();
    for customer in all(desk, "/api/customers").await {
        let path = format!("/api/customers/{}/orders", customer["id"].as_str().expect("an id"));
        let orders = desk.json(&path).await["orders"].as_array().cloned().expect("a list");
        let text = |order: &Value, field: &str| order[field].as_str().expect("a text").to_owned();
        let history = orders.iter().rev().map(|order| (text(order, "total"), text(order, "state"))).collect();
        histories.insert(text(&customer, "name"), history);
    }
    histories
}

#[tokio::test]
async fn good_rows_are_imported_by_date_and_bad_ones_named_by_their_lines() {
    let desk = TestDesk::start();
    let output = import(&desk, &folder("tests/stories/data"));
    let (summary, errors) = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    for expected in [
        "customers.csv line 3: name must not be empty",
        "customers.csv line 5: customer_number must be a whole number",
        "customers.csv line 6: has 3 fields where the first line has 4",
        "customers.csv line 8: credit_limit must not be negative",
        "customers.csv line 9: customer_number 1 is on line 2 already",
        "orders.csv line 5: order_date must be a date such as 2003-01-31",
        "orders.csv line 6: its customer 2 was skipped",
        "orders.csv line 9: total must be above zero",
        "orders.csv line 10: total must have at most two decimals",
        "orders.csv line 12: has 3 fields where the first line has 5",
    ] {
        assert!(errors.contains(expected), "{expected:?} is not in {errors}");
    }
    assert_eq!(errors.lines().filter(|line| line.contains(" line ")).count(), 10, "{errors}");
    let counts: HashMap<_, _> = summary.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    let count = |name: &str| counts.get(name).map(|rest| rest.split_whitespace().next().unwrap_or_default());
    assert_eq!(
        (count("customers"), count("orders"), count("rows skipped")),
        (Some("3"), Some("6"), Some("10")),
        "{summary}"
    );
    assert_eq!(
        (count("APPROVED"), count("REJECTED INSUFFICIENT_CREDIT"), count("REJECTED UNKNOWN_CUSTOMER")),
        (Some("3"), Some("2"), Some("1"))
    );

    let histories = histories(&desk).await;
    let told = |name: &str| histories[name].iter().map(|(total, state)| format!("{total} {state}")).collect::<Vec<_>>();
    assert_eq!(histories.keys().collect::<Vec<_>>(), ["Ada", "Carl, Sons & Co.", "Frida \"Fritz\""]);
    assert_eq!(told("Ada"), ["50.00 APPROVED", "60.00 REJECTED", "50.00 APPROVED"]);
    assert_eq!(told("Carl, Sons & Co."), ["250.00 APPROVED"]);

    let before = picture(&desk).await;
    assert_eq!(import(&desk, &folder("tests/stories/data")).status.code(), Some(1));
    assert_eq!(picture(&desk).await, before, "a second import changes nothing");
}

/// What must become of the sample orders: each customer's by date and after the payments of that day, approved while limit and
/// payments cover them. Beside it, what each customer has paid in all.
pub fn expected(data: &Path, with_payments: bool) -> (Histories, BTreeMap<String, String>) {
    let rows = |name: &str| {
        let mut reader = csv::Reader::from_path(data.join(name)).expect("it reads");
        reader.deserialize().map(|row| row.expect("a good row")).collect::<Vec<HashMap<String, String>>>()
    };
    let money = |text: &str| Money::parse(text).expect("an amount").minor();
    let (mut customers, mut histories, mut paid) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
    for row in rows("customers.csv") {
        customers.insert(row["customer_number"].clone(), (row["name"].clone(), money(&row["credit_limit"])));
        histories.insert(row["name"].clone(), Vec::new());
        paid.insert(row["name"].clone(), 0);
    }
    let payments = if with_payments { rows("payments.csv") } else { Vec::new() };
    let mut deeds: Vec<_> = payments.into_iter().map(|row| (row["payment_date"].clone(), row)).collect();
    deeds.extend(rows("orders.csv").into_iter().map(|row| (row["order_date"].clone(), row)));
    deeds.sort_by(|left, right| left.0.cmp(&right.0));
    for (_, deed) in deeds {
        let (name, left) = customers.get_mut(&deed["customer_number"]).expect("a known customer");
        if let Some(amount) = deed.get("amount") {
            *left += money(amount);
            *paid.get_mut(name).expect("a known customer") += money(amount);
            continue;
        }
        let total = money(&deed["total"]);
        let approved = total <= *left;
        *left -= if approved { total } else { 0 };
        let state = if approved { "APPROVED" } else { "REJECTED" };
        let history = histories.get_mut(name).expect("a known customer");
        history.push((Money::from_minor(total).to_string(), state.to_owned()));
    }
    (histories, paid.into_iter().map(|(name, minor)| (name, Money::from_minor(minor).to_string())).collect())
}

#[tokio::test]
async fn the_sample_data_is_settled_each_customer_in_order_and_a_second_import_changes_nothing() {
    let data = folder("../../shared/data/classicmodels");
    if !data.join("orders.csv").exists() {
        eprintln!("SKIPPED: there is no {}; the import of the sample data was not tested", data.display());
        return;
    }
    let desk = TestDesk::start();
    let output = import(&desk, &data);
    let (summary, errors) = printed(&output);
    assert!(output.status.success(), "{errors}");
    assert!(errors.is_empty(), "nothing is drawn where nobody watches: {errors}");
    assert!(summary.contains("122 accepted, 122 new") && summary.contains("326 accepted, 326 new"), "{summary}");
    assert_eq!(histories(&desk).await, expected(&data, false).0);

    let before = picture(&desk).await;
    let again = printed(&import(&desk, &data)).0;
    assert!(again.contains("0 new, 122 known before") && again.contains("0 new, 326 known before"), "{again}");
    assert_eq!(picture(&desk).await, before);
}

#[tokio::test]
async fn the_sample_data_with_payments_is_settled_by_date_and_a_second_import_changes_nothing() {
    let data = folder("../../shared/data/classicmodels");
    if !data.join("payments.csv").exists() {
        eprintln!("SKIPPED: there is no {}; the import of the sample payments was not tested", data.display());
        return;
    }
    let desk = TestDesk::start();
    let output = import_paid(&desk, &data);
    let (summary, errors) = printed(&output);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    assert!(summary.contains("273 accepted\n") && summary.contains("326 accepted, 326 new"), "{summary}");
    let (expected, paid) = expected(&data, true);
    assert_eq!(histories(&desk).await, expected);
    let customers = all(&desk, "/api/customers").await;
    let text = |customer: &Value, field: &str| customer[field].as_str().expect("a text").to_owned();
    let shown: BTreeMap<_, _> = customers.iter().map(|one| (text(one, "name"), text(one, "paid"))).collect();
    assert_eq!(shown, paid);

    let before = picture(&desk).await;
    assert!(import_paid(&desk, &data).status.success());
    assert_eq!(picture(&desk).await, before);
}

#[tokio::test]
async fn bad_payments_are_named_by_their_lines_and_the_others_recorded() {
    let desk = TestDesk::start();
    let files = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).expect("it is written");
    write("customers.csv", "customer_number,name,credit_limit\n1,Ada,10\n2,,10\n");
    write(
        "orders.csv",
        "order_number,order_date,customer_number,total\n1,2020-01-01,1,10\n2,2020-01-02,1,5\n3,2020-01-03,1,0.01\n",
    );
    write(
        "payments.csv",
        "customer_number,check_number,payment_date,amount\n1,A,2020-01-02,5.00\n1,A,2020-01-02,5.00\n\
         1,B,2020-02-30,1\n1,C,2020-01-01,-1\n2,D,2020-01-01,1\n7,E,2020-01-01,1\n",
    );
    for _ in 0..2 {
        let output = import_paid(&desk, files.path());
        let (summary, errors) = printed(&output);
        assert_eq!(output.status.code(), Some(1));
        for expected in [
            "payments.csv line 3: check A of customer 1 is on line 2 already",
            "payments.csv line 4: payment_date must be a date such as 2003-01-31",
            "payments.csv line 5: amount must not be negative",
            "payments.csv line 6: its customer 2 was skipped",
            "payments.csv line 7: the server refuses it: There is no such customer.",
        ] {
            assert!(errors.contains(expected), "{expected:?} is not in {errors}");
        }
        assert!(summary.contains("       1 accepted\n"), "{summary}");
        let told: Vec<_> = histories(&desk).await["Ada"].iter().map(|(_, state)| state.clone()).collect();
        assert_eq!(told, ["APPROVED", "APPROVED", "REJECTED"]);
    }
}

#[tokio::test]
async fn a_file_that_lacks_a_column_is_refused_before_anything_is_sent() {
    let desk = TestDesk::start();
    let files = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(files.path().join("customers.csv"), "customer_number,name,credit_limit\n1,Ada,1\n")
        .expect("written");
    std::fs::write(files.path().join("orders.csv"), "order_number,date,customer_number,total\n1,2020-01-01,1,1\n")
        .expect("written");
    let output = import(&desk, files.path());
    let errors = printed(&output).1;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors.contains("orders.csv cannot be imported: its first line does not name the columns order_date"),
        "{errors}"
    );
    assert!(all(&desk, "/api/customers").await.is_empty());
}

#[tokio::test]
async fn a_number_that_was_imported_with_other_values_is_named_and_not_changed() {
    let desk = TestDesk::start();
    let files = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).expect("it is written");
    write("orders.csv", "order_number,order_date,customer_number,total\n1,2020-01-01,1,1\n");
    write("customers.csv", "customer_number,name,credit_limit\n1,Ada,1\n");
    assert!(import(&desk, files.path()).status.success());
    let before = picture(&desk).await;
    write("customers.csv", "customer_number,name,credit_limit\n1,Ada,2\n");
    let output = import(&desk, files.path());
    let errors = printed(&output).1;
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("customers.csv line 2: was imported before with other values"), "{errors}");
    assert_eq!(picture(&desk).await, before);
}

#[test]
fn without_a_server_an_import_says_so() {
    let data = folder("tests/stories/data/customers.csv");
    // The discard port: nobody listens there.
    let output =
        tramline(["import", "--customers", data.to_str().expect("a plain path"), "--url", "http://127.0.0.1:9"]);
    let errors = printed(&output).1;
    assert!(!output.status.success() && errors.contains("no server answers at http://127.0.0.1:9"), "{errors}");
    assert!(!read(&data).is_empty());
}
