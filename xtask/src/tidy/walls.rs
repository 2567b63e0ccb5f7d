//! The walls of ARCHITECTURE.md: which crate may name which.

use super::{Violation, manifests::Crate};

const CONTRACT: &str = "tramline-contract";
const MODEL: &str = "tramline-model";
const DB: &str = "tramline-db";
const REDIS: &str = "tramline-redis";
const TESTING: &str = "tramline-testing";
const MESSAGING: &str = "tramline-messaging";
const SAGAS: &str = "tramline-sagas";
const SIMULATOR: &str = "tramline-simulator";
const EVENTSOURCING: &str = "tramline-eventsourcing";
const MESSAGES: &str = "tramline-messages";
const HTTP: &str = "tramline-http";

/// What a service may build on: the engine, the messages between services, and what the browser is told. No service.
const SERVICE: &[&str] = &[CONTRACT, DB, MESSAGING, SAGAS, EVENTSOURCING, MESSAGES, HTTP];

/// The view may lie in Redis.
const SERVICE_IN_REDIS: &[&str] = &[CONTRACT, DB, REDIS, MESSAGING, SAGAS, EVENTSOURCING, MESSAGES, HTTP];

/// Each crate with the crates of this workspace that it may name. `None`: it composes the whole and may name all.
const MAY_NAME: &[(&str, Option<&[&str]>)] = &[
    // wasm | native: the browser reaches the server only through the contract.
    (CONTRACT, Some(&[])),
    (MODEL, Some(&[CONTRACT])),
    ("tramline-app", Some(&[CONTRACT, MODEL])),
    // pattern | domain: the engine knows nothing of what runs on it.
    (DB, Some(&[])),
    (REDIS, Some(&[])),
    (MESSAGING, Some(&[DB, REDIS])),
    (SAGAS, Some(&[DB, MESSAGING])),
    (EVENTSOURCING, Some(&[DB, MESSAGING])),
    // It mends any service's messages and knows none of them.
    ("tramline-operations", Some(&[CONTRACT, DB, MESSAGING, MESSAGES, HTTP])),
    (SIMULATOR, Some(&[DB, MESSAGING, SAGAS])),
    // service | service: they meet in `messages`.
    (MESSAGES, Some(&[CONTRACT, MESSAGING, SAGAS])),
    (HTTP, Some(&[CONTRACT])),
    ("tramline-customers", Some(SERVICE)),
    ("tramline-orders", Some(SERVICE)),
    ("tramline-order-history", Some(SERVICE_IN_REDIS)),
    ("tramline-notifications", Some(SERVICE)),
    // gateway | services: it reaches a service over that service's HTTP interface alone.
    ("tramline-gateway", Some(&[CONTRACT, HTTP, MESSAGES])),
    ("tramline", None),
    // Examples show the engine alone.
    ("trip", Some(&[DB, MESSAGING, SAGAS])),
    // Nothing depends on it: it checks whatever there is.
    ("tramline-models", None),
    // Tests of any crate may name it besides.
    (TESTING, Some(&[])),
    ("xtask", Some(&[])),
];

/// Crates from outside that would break a wall too: (the crate, what it must not name, why).
const MUST_NOT_NAME: &[(&str, &[&str], &str)] = &[
    (CONTRACT, BROWSER, "both sides compile it"),
    (CONTRACT, SERVER, "both sides compile it"),
    (MODEL, BROWSER, "it decides what the browser shows and touches no browser"),
    (MODEL, SERVER, "it runs in the browser"),
    ("tramline-app", SERVER, "it runs in the browser"),
    (MESSAGING, &["redis", "rusqlite"], "tramline-redis and tramline-db do"),
    ("tramline-order-history", &["redis", "rusqlite"], "tramline-redis and tramline-db do"),
    (SAGAS, &["axum"], "it speaks no HTTP"),
    (EVENTSOURCING, &["axum"], "it speaks no HTTP"),
    (SIMULATOR, &["axum", "rand"], "it repeats its runs to the digit"),
    (MESSAGES, &["axum", "rusqlite", "tokio"], "it is plain data"),
    ("tramline-gateway", &["rusqlite"], "it has no database"),
];

const BROWSER: &[&str] = &["leptos", "leptos_router", "gloo-net", "js-sys", "wasm-bindgen", "web-sys"];
const SERVER: &[&str] = &["axum", "hyper", "hyper-util", "rusqlite", "tokio", "tower"];

/// Every dependency that crosses a wall.
pub fn violations(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(|one| inner(one, crates).into_iter().chain(outer(one))).collect()
}

fn inner(one: &Crate, crates: &[Crate]) -> Vec<Violation> {
    let Some((_, may_name)) = MAY_NAME.iter().find(|(name, _)| *name == one.name) else {
        return vec![Violation::new(&one.path, "say in xtask/src/tidy/walls.rs which crates this one may name")];
    };
    let Some(may_name) = may_name else { return Vec::new() };
    let ours = |name: &str| crates.iter().any(|other| other.name == name);
    let in_tests = |name: &str| name == TESTING && one.only_for_tests.iter().any(|other| other == name);
    one.dependencies
        .iter()
        .filter(|(name, _)| ours(name) && !may_name.contains(&name.as_str()) && !in_tests(name))
        .map(|(name, _)| {
            Violation::new(&one.path, format!("{} must not name {name}: a wall is between them", one.name))
        })
        .collect()
}

fn outer(one: &Crate) -> Vec<Violation> {
    let walls = MUST_NOT_NAME.iter().filter(|(name, _, _)| *name == one.name);
    walls
        .flat_map(|(name, forbidden, why)| {
            let crossing = one.dependencies.iter().filter(|(other, _)| forbidden.contains(&other.as_str()));
            crossing.map(move |(other, _)| Violation::new(&one.path, format!("{name} must not name {other}: {why}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Text, super::manifests::parse, *};

    fn one(name: &str, dependencies: &[&str]) -> Crate {
        let lines: String = dependencies.iter().map(|name| format!("{name}.workspace = true\n")).collect();
        let text = format!("[package]\nname = \"{name}\"\n[dependencies]\n{lines}");
        parse(&Text { path: format!("{name}/Cargo.toml"), text }).unwrap()
    }

    /// The violations of the first crate beside crates without dependencies.
    fn found(name: &str, dependencies: &[&str]) -> usize {
        let mut crates = vec![one(name, dependencies)];
        crates.extend(dependencies.iter().filter(|other| other.starts_with("tramline")).map(|other| one(other, &[])));
        violations(&crates).len()
    }

    #[test]
    fn a_service_builds_on_the_engine_and_on_no_other_service() {
        assert_eq!(found("tramline-orders", &["tramline-sagas", "tramline-messages", "serde"]), 0);
        assert_eq!(found("tramline-orders", &["tramline-customers"]), 1);
        assert_eq!(found("tramline-order-history", &["tramline-orders"]), 1);
    }

    #[test]
    fn the_engine_knows_nothing_of_the_domain() {
        assert_eq!(found("tramline-sagas", &["tramline-db", "tramline-messaging"]), 0);
        assert_eq!(found("tramline-sagas", &["tramline-messages"]), 1);
        assert_eq!(found("tramline-db", &["tramline-contract"]), 1);
    }

    #[test]
    fn the_browser_meets_the_server_in_the_contract() {
        assert_eq!(found("tramline-app", &["tramline-contract", "tramline-model", "leptos"]), 0);
        assert_eq!(found("tramline-app", &["tramline-http"]), 1);
        assert_eq!(found("tramline-model", &["leptos"]), 1);
        assert_eq!(found("tramline-contract", &["tokio"]), 1);
    }

    #[test]
    fn the_gateway_names_no_service() {
        assert_eq!(found("tramline-gateway", &["tramline-http", "tramline-contract"]), 0);
        assert_eq!(found("tramline-gateway", &["tramline-orders"]), 1);
    }

    #[test]
    fn the_composition_may_name_all() {
        assert_eq!(found("tramline", &["tramline-orders", "tramline-customers", "tramline-gateway"]), 0);
    }

    #[test]
    fn private_servers_are_for_tests() {
        let text =
            |section: &str| format!("[package]\nname = \"{MESSAGING}\"\n[{section}]\n{TESTING}.workspace = true\n");
        for (section, expected) in [("dev-dependencies", 0), ("dependencies", 1), ("build-dependencies", 1)] {
            let one = parse(&Text { path: "server/messaging/Cargo.toml".into(), text: text(section) }).unwrap();
            let testing = parse(&Text {
                path: "server/testing/Cargo.toml".into(),
                text: format!("[package]\nname = \"{TESTING}\""),
            });
            assert_eq!(violations(&[one, testing.unwrap()]).len(), expected, "{section}");
        }
    }

    #[test]
    fn the_client_of_redis_has_one_crate() {
        assert_eq!(found("tramline-messaging", &["tramline-redis"]), 0);
        assert_eq!(found("tramline-messaging", &["redis"]), 1);
        assert_eq!(found("tramline-orders", &["tramline-redis"]), 1);
        assert_eq!(found("tramline-order-history", &["tramline-redis"]), 0);
        assert_eq!(found("tramline-redis", &["tramline-db"]), 1);
    }

    #[test]
    fn a_new_crate_must_be_given_its_walls() {
        assert_eq!(found("tramline-novelty", &[]), 1);
    }
}
