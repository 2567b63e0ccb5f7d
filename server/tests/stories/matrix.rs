//! Every scenario on every kind of store and in both coordinations: one table, and every column of it the same.

use crate::{
    coordination::{BOTH, Outcome, scenarios},
    desk::TestDesk,
};
use tramline_testing::{DeskStores, Disk, POSTGRES, PrivatePostgres, PrivateRedis, required};

/// What a desk is told of its stores.
pub type Settings = Vec<(&'static str, String)>;

/// A database and a prefix that nobody else has.
pub fn on_servers(postgres: &PrivatePostgres, redis: &PrivateRedis, relay: &'static str) -> Settings {
    let database = postgres.database();
    let (_, name) = database.rsplit_once('/').expect("an address with a database");
    let prefix = format!("matrix-{relay}-{name}");
    vec![
        ("TRAMLINE_DATABASE", database),
        ("TRAMLINE_REDIS", redis.url()),
        ("TRAMLINE_REDIS_PREFIX", prefix),
        ("TRAMLINE_RELAY", relay.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_ends_alike_on_every_store_and_in_both_coordinations() {
    if std::env::var_os(POSTGRES).is_some() {
        eprintln!("left out: this test brings servers of its own and runs without TRAMLINE_TEST_POSTGRES");
        return;
    }
    let Some(postgres) = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced)) else { return };
    let Some(redis) = PrivateRedis::start().await else { return };
    let stores = [
        ("SQLite", Settings::new()),
        ("PostgreSQL, Redis, polling", on_servers(&postgres, &redis, "polling")),
        ("PostgreSQL, Redis, wal", on_servers(&postgres, &redis, "wal")),
    ];
    let mut columns: Vec<(String, Vec<Outcome>)> = Vec::new();
    for (name, settings) in stores {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stores = DeskStores::on(&folder.path().join("data"), settings);
        let desk = TestDesk::on(folder, stores);
        for way in BOTH {
            columns.push((format!("{name}, {}", way.as_str()), scenarios(&desk, way).await));
        }
    }
    print(&columns);
    let (first, expected) = &columns[0];
    for (name, outcomes) in &columns[1..] {
        assert_eq!(expected, outcomes, "{first} against {name}");
    }
}

/// A row for each scenario, a column for each store and coordination.
fn print(columns: &[(String, Vec<Outcome>)]) {
    for (number, (name, _)) in columns.iter().enumerate() {
        println!("{} = {name}", number + 1);
    }
    let rows = columns.first().map_or(0, |(_, outcomes)| outcomes.len());
    for row in 0..rows {
        let cells = columns.iter().filter_map(|(_, outcomes)| outcomes.get(row));
        let cells: Vec<_> = cells.map(|outcome| format!("{:<38}", outcome.order)).collect();
        println!("{:<28} {}", columns[0].1[row].scenario, cells.join(" "));
    }
}
