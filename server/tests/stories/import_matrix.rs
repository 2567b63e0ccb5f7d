//! The sample data with its payments on every kind of store and in both coordinations: one table, every line of it the same.

use crate::{
    desk::{TestDesk, printed, tramline, tramline_on},
    import::{all, expected, folder, histories, picture},
    matrix::{Settings, on_servers},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};
use tokio::runtime::Runtime;
use tramline_contract::Money;
use tramline_testing::{DeskStores, Disk, POSTGRES, PrivatePostgres, PrivateRedis, required};

/// What became of the data: whatever must not differ, by the id that an import gives it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    orders: BTreeMap<String, [String; 3]>,
    customers: BTreeMap<String, [String; 5]>,
}

fn text(document: &Value, field: &str) -> String {
    document[field].as_str().unwrap_or_default().to_owned()
}

async fn outcome(desk: &TestDesk) -> Outcome {
    let orders = all(desk, "/api/orders").await;
    let customers = all(desk, "/api/customers").await;
    let fields = ["name", "creditLimit", "reserved", "paid", "availableCredit"];
    Outcome {
        orders: orders
            .iter()
            .map(|order| (text(order, "id"), ["state", "total", "rejectionReason"].map(|field| text(order, field))))
            .collect(),
        customers: customers.iter().map(|one| (text(one, "id"), fields.map(|field| text(one, field)))).collect(),
    }
}

/// Imports the data, and tells what was printed.
fn import(desk: &TestDesk, data: &Path, way: &str) -> String {
    let file = |name: &str| data.join(name).to_str().expect("a plain path").to_owned();
    let [customers, orders, payments] = ["customers.csv", "orders.csv", "payments.csv"].map(file);
    let (url, files) = (desk.url(), ["--customers", &customers, "--orders", &orders, "--payments", &payments]);
    let [a, b, c, d, e, f] = files;
    let output = tramline(["import", a, b, c, d, e, f, "--coordination", way, "--url", &url]);
    let (summary, errors) = printed(&output);
    assert!(output.status.success() && errors.is_empty(), "{way}: {errors}");
    summary
}

/// Imports twice on new stores; tells what the data came to.
async fn imported(settings: Settings, data: &Path, way: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stores = DeskStores::on(&folder.path().join("data"), settings);
    let desk = TestDesk::on(folder, stores);
    let summary = import(&desk, data, way);
    assert!(summary.contains("273 accepted\n") && summary.contains("326 accepted, 326 new"), "{summary}");
    let wanted: Vec<_> = all(&desk, "/api/orders").await.iter().map(|order| text(order, "coordination")).collect();
    assert!(wanted.iter().all(|coordination| coordination == way), "{way}: {wanted:?}");
    assert_eq!(histories(&desk).await, expected(data, true).0, "{way}");
    let (told, before) = (outcome(&desk).await, picture(&desk).await);
    let again = import(&desk, data, way);
    assert!(again.contains("0 new, 122 known before") && again.contains("0 new, 326 known before"), "{again}");
    assert_eq!(picture(&desk).await, before, "{way}: a second import changes nothing");
    let check = tramline_on(&desk.stores(), ["check", "--wait", "30"]);
    assert!(check.status.success(), "{way}: {:?}", printed(&check));
    told
}

#[tokio::test]
async fn the_sample_data_with_payments_comes_to_the_same_on_every_store_and_in_both_coordinations() {
    let data = folder("../../shared/data/classicmodels");
    if !data.join("payments.csv").exists() {
        eprintln!("SKIPPED: there is no {}; the import of the sample was not compared", data.display());
        return;
    }
    if std::env::var_os(POSTGRES).is_some() {
        eprintln!("left out: this test brings servers of its own and runs without TRAMLINE_TEST_POSTGRES");
        return;
    }
    let mut told = in_both_ways("SQLite", [Settings::new(), Settings::new()], &data);
    if let Some(postgres) = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced))
        && let Some(redis) = PrivateRedis::start().await
    {
        for relay in ["polling", "wal"] {
            let settings = [(); 2].map(|()| on_servers(&postgres, &redis, relay));
            told.extend(in_both_ways(&format!("PostgreSQL, Redis, {relay}"), settings, &data));
        }
    }
    print(&told);
    let (first, expected) = &told[0];
    for (name, found) in &told[1..] {
        differ(first, expected, name, found);
    }
}

/// Both at once, each on stores and a thread of its own: a run of the program holds up its thread.
fn in_both_ways(name: &str, settings: [Settings; 2], data: &Path) -> Vec<(String, Outcome)> {
    let ways = ["orchestration", "choreography"].into_iter().zip(settings);
    std::thread::scope(|scope| {
        let under_way = ways.map(|(way, settings)| {
            let run = move || Runtime::new().expect("a runtime").block_on(imported(settings, data, way));
            (format!("{name}, {way}"), scope.spawn(run))
        });
        let under_way: Vec<_> = under_way.collect();
        under_way.into_iter().map(|(name, run)| (name, run.join().expect("it ends well"))).collect()
    })
}

/// Fails with the few that differ: of all of them, nobody would find these.
fn differ(first: &str, expected: &Outcome, name: &str, found: &Outcome) {
    let orders: Vec<_> = expected.orders.iter().filter(|(id, order)| found.orders.get(*id) != Some(order)).collect();
    let customers = expected.customers.iter().filter(|(id, one)| found.customers.get(*id) != Some(one));
    let customers: Vec<_> = customers.collect();
    assert!(expected == found, "{name} is not as {first}, which has {orders:?} and {customers:?}");
}

/// A line for each store and coordination: orders by state with their totals, and the sums over all accounts.
fn print(told: &[(String, Outcome)]) {
    let sum = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| signed_minor(text)).sum::<i64>();
    println!(
        "{:<40} {:>9} {:>15} {:>9} {:>15} {:>10} {:>15} {:>15} {:>15}",
        "store, coordination", "approved", "total", "rejected", "total", "customers", "limits", "paid", "available"
    );
    for (name, outcome) in told {
        let of = |state: &str| {
            let orders: Vec<_> = outcome.orders.values().filter(|order| order[0] == state).collect();
            (orders.len(), sum(&mut orders.iter().map(|order| &order[1])))
        };
        let over = |field: usize| sum(&mut outcome.customers.values().map(|customer| &customer[field]));
        let ((approved, worth), (rejected, lost)) = (of("APPROVED"), of("REJECTED"));
        let [limits, paid, available] = [1, 3, 4].map(|field| amount(over(field)));
        println!(
            "{name:<40} {approved:>9} {:>15} {rejected:>9} {:>15} {:>10} {limits:>15} {paid:>15} {available:>15}",
            amount(worth),
            amount(lost),
            outcome.customers.len(),
        );
    }
}

fn signed_minor(text: &str) -> i64 {
    let magnitude = Money::parse(text.trim_start_matches('-')).expect("an amount").minor();
    if text.starts_with('-') { -magnitude } else { magnitude }
}

fn amount(minor: i64) -> String {
    Money::from_minor(minor).to_string()
}
