//! The search view: customers and orders by their words, in whichever order they are heard of, whatever is typed.

use crate::{
    events::{approved, customer, customer_id, order_id, placed, rejected},
    heal::{TestOwners, marks},
    stores::{step, stream},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use tempfile::TempDir;
use tramline_contract::SearchHit;
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds};
use tramline_http::ServiceClient;
use tramline_messaging::{Effects as _, HandlerError, Messaging, Record, Transactional};
use tramline_order_history::{Healer, SEARCH_GROUP, Search, SearchProjector, search_migrations, search_routes};
use tramline_testing::{POSTGRES, database_on};

pub struct Desk {
    pub search: Search,
    effects: Transactional<SearchProjector>,
    client: ServiceClient,
    offset: AtomicI64,
    _folder: TempDir,
}

impl Desk {
    async fn open(address: &str, folder: TempDir) -> Self {
        let address = Address::parse(address).expect("it reads");
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let migrations = search_migrations(&address);
        let db = Db::open("search", &address, Durability::Process, &migrations, clock, ids).await.expect("it opens");
        let messaging = Messaging::open(db).await.expect("it has offsets");
        let effects = Transactional::new(SEARCH_GROUP, messaging.clone(), Arc::new(SearchProjector));
        effects.claim(&[(stream(0), 1)]).await.expect("it is reached");
        let search = Search::new(messaging);
        let client = ServiceClient::in_process("history", search_routes(search.clone()));
        Self { search, effects, client, offset: AtomicI64::new(0), _folder: folder }
    }

    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = format!("sqlite:{}", folder.path().join("search.db").display());
        Self::open(&address, folder).await
    }

    /// Both engines, or the one that can be had; then that is said aloud.
    async fn all() -> Vec<Self> {
        let mut desks = vec![Self::on_sqlite().await];
        desks.extend(Self::on_postgres().await);
        desks
    }

    /// `None` where there is no server; then that was said aloud.
    pub async fn on_postgres() -> Option<Self> {
        let Ok(server) = std::env::var(POSTGRES) else {
            eprintln!("SKIPPED: {POSTGRES} names no server");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        Some(Self::open(&database_on(&server, None), folder).await)
    }

    pub async fn tell(&self, batch: &[Arc<Record>]) {
        let from = self.offset.fetch_add(1, Ordering::SeqCst);
        self.effects.apply(&[step(0, from, from + 1, 1)], batch).await.expect("it is applied");
    }

    async fn ask(&self, query: &str) -> (u16, Value) {
        let answer = self.client.get(&format!("/search?{query}")).send().await.expect("it answers");
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).expect("it is JSON"))
    }

    async fn contents(&self) -> Vec<SearchHit> {
        Search::read_contents(self.search.messaging().db()).await.expect("it reads")
    }

    /// The ids of what is found.
    async fn found(&self, q: &str) -> Vec<Value> {
        let (status, page) = self.ask(&format!("q={}", escaped(q))).await;
        assert_eq!(status, 200, "{q:?}: {page}");
        page["items"].as_array().expect("a list").iter().map(|hit| hit["id"].clone()).collect()
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn ids(customers: &[u128], orders: &[u128]) -> Vec<Value> {
    let customers = customers.iter().map(|number| json!(customer_id(*number)));
    orders.iter().map(|number| json!(order_id(*number))).chain(customers).collect()
}

#[tokio::test]
async fn customers_and_orders_are_found_by_words_that_begin_so() {
    for desk in Desk::all().await {
        desk.tell(&[customer(1, 1, "Ada Lovelace"), customer(2, 1, "Änne O'Neill"), placed(1, 1, 10)]).await;
        desk.tell(&[approved(1, 1, 10), placed(2, 2, 11), rejected(2, 2, 11), placed(3, 9, 12)]).await;
        assert_eq!(desk.found("ada").await, ids(&[1], &[1]));
        assert_eq!(desk.found("LOVE ad").await, ids(&[1], &[1]));
        assert_eq!(desk.found("ada approved").await, ids(&[], &[1]));
        assert_eq!(desk.found("ada pending").await, ids(&[], &[]), "it was found by that before");
        assert_eq!(desk.found("äNNE").await, ids(&[2], &[2]));
        assert_eq!(desk.found("o'neill insufficient").await, ids(&[], &[2]));
        assert_eq!(desk.found("12.50").await, ids(&[], &[3, 2, 1]), "newest first");
        assert_eq!(desk.found(&order_id(3).to_string()[..8]).await.len(), 3);
        assert_eq!(desk.found(&order_id(3).0.simple().to_string()).await, ids(&[], &[3]));
        assert_eq!(desk.found("lace").await, ids(&[], &[]), "words begin so");
        assert_eq!(desk.found("  *\"' ").await, ids(&[], &[]));
        let (_, page) = desk.ask("q=ada").await;
        let shown = json!([
            {"kind": "order", "id": order_id(1), "customerId": customer_id(1), "customerName": "Ada Lovelace",
             "total": "12.50", "state": "APPROVED", "version": 2, "createdAt": "1970-01-01T00:00:00.000010Z"},
            {"kind": "customer", "id": customer_id(1), "name": "Ada Lovelace", "version": 1,
             "createdAt": "1970-01-01T00:00:00.000001Z"},
        ]);
        assert_eq!(page["items"], shown);
    }
}

#[tokio::test]
async fn a_list_of_hits_is_read_page_by_page() {
    for desk in Desk::all().await {
        let orders: Vec<_> =
            (0..50).map(|number| placed(number, 1, 10 + i64::try_from(number).expect("small") / 3)).collect();
        desk.tell(&orders).await;
        desk.tell(&[customer(1, 1, "Ada")]).await;
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let (_, page) = desk.ask(&format!("q=ada&limit=7{cursor}")).await;
            found.extend(page["items"].as_array().expect("a list").clone());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found.len(), 51, "each once, though the orders were heard of first");
        let times: Vec<_> = found.iter().map(|hit| hit["createdAt"].as_str().expect("a time")).collect();
        assert!(times.iter().rev().is_sorted(), "{times:?}");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused() {
    let desk = Desk::on_sqlite().await;
    let long = format!("q={}", "a".repeat(201));
    let many = format!("q={}", "a+".repeat(17));
    for query in [long.as_str(), &many, "q=a&limit=0", "q=a&limit=101", "q=a&cursor=x", "q=a&order=name", "q=%00"] {
        let (status, problem) = desk.ask(query).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid-request")), "{query}");
    }
}

#[tokio::test]
async fn a_batch_whose_offset_stands_elsewhere_changes_nothing() {
    for desk in Desk::all().await {
        let answer = desk.effects.apply(&[step(0, 3, 4, 1)], &[customer(1, 1, "Ada")]).await;
        assert!(matches!(answer, Err(HandlerError::Moved)), "{answer:?}");
        assert_eq!(desk.found("ada").await, ids(&[], &[]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_that_is_brought_at_once_with_its_customer_has_the_name() {
    for desk in Desk::all().await {
        desk.effects.claim(&[(stream(1), 1)]).await.expect("it is reached");
        for round in 0..40_u128 {
            let from = i64::try_from(round).expect("small");
            let (one, other) = ([step(0, from, from + 1, 1)], [step(1, from, from + 1, 1)]);
            let (buyer, order) = ([customer(round, 1, "Ada")], [placed(round, round, 10)]);
            let brought = tokio::join!(desk.effects.apply(&one, &buyer), desk.effects.apply(&other, &order));
            brought.0.and(brought.1).expect("both are applied");
        }
        let nameless = |hit: &SearchHit| matches!(hit, SearchHit::Order { customer_name: None, .. });
        assert_eq!(desk.contents().await.into_iter().filter(nameless).count(), 0);
    }
}

#[tokio::test]
async fn what_was_missed_is_read_from_its_owner() {
    for desk in Desk::all().await {
        let owners = TestOwners::default();
        owners.know(&approved(1, 1, 10));
        owners.know(&customer(1, 4, "Ada"));
        desk.tell(&[customer(1, 1, "Ada"), placed(1, 1, 10)]).await;
        let (db, healer) = (desk.search.messaging().db(), Healer::of_search(&desk.search, owners.owners()));
        assert_eq!(marks(db).await, 0);
        desk.tell(&[customer(1, 3, "Ada")]).await;
        assert_eq!((marks(db).await, healer.heal().await.expect("it looks"), marks(db).await), (1, 1, 0));
        let version = |hit: &SearchHit| match hit {
            SearchHit::Customer { version, .. } => Some(version.0),
            SearchHit::Order { .. } => None,
        };
        assert_eq!(desk.contents().await.iter().find_map(version), Some(4));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The same events in any order, repeated, in batches of any size, make the same view.
    #[test]
    fn disorder_and_repetition_lead_to_the_same_view(
        order in Just((0..12_usize).chain(0..12).collect::<Vec<_>>()).prop_shuffle(),
        cuts in proptest::collection::vec(1..6_usize, 24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let events = [
                customer(1, 1, "Ada"), customer(1, 2, "Ada"), customer(2, 1, "Bob"), customer(3, 1, "Cleo"),
                placed(1, 1, 10), approved(1, 1, 10), placed(2, 1, 11), rejected(2, 1, 11), placed(3, 2, 12),
                placed(4, 3, 13), approved(4, 3, 13), placed(5, 4, 14),
            ];
            let (straight, dealt) = (Desk::on_sqlite().await, Desk::on_sqlite().await);
            straight.tell(&events).await;
            let mut rest = order.as_slice();
            for cut in cuts {
                let (batch, after) = rest.split_at(cut.min(rest.len()));
                let batch: Vec<_> = batch.iter().map(|index| Arc::clone(&events[*index])).collect();
                if !batch.is_empty() {
                    dealt.tell(&batch).await;
                }
                rest = after;
            }
            assert_eq!(dealt.contents().await, straight.contents().await);
            for q in ["ada", "ada appr", "cleo", "12.50", "order"] {
                assert_eq!(dealt.found(q).await, straight.found(q).await, "{q}");
            }
        });
    }
}

/// Whatever is typed is an answer or a refusal, and never a fault of ours; and both engines say the same.
#[tokio::test]
async fn no_input_is_syntax() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let desks = Desk::all().await;
    for desk in &desks {
        desk.tell(&[customer(1, 1, "Ada near or and not"), placed(1, 1, 10)]).await;
    }
    let syntax = [
        "\"",
        "*",
        "NEAR(",
        ")",
        "AND",
        "OR",
        "NOT",
        "^",
        ":",
        "-",
        "+",
        "{",
        "}",
        "'",
        "\\",
        "&",
        "|",
        "!",
        "<->",
        "own_words:",
        "ada",
        "%",
        ";",
        "--",
        "12.",
        "12.50",
        "1.5.2",
        ".5",
    ];
    let parts = prop_oneof![proptest::sample::select(syntax.to_vec()).prop_map(str::to_owned), "\\PC{0,12}"];
    let texts = proptest::collection::vec(parts, 0..8).prop_map(|parts| parts.join(" "));
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let text = texts.new_tree(&mut runner).expect("a text").current();
        for desk in &desks {
            let (status, answer) = desk.ask(&format!("q={}", escaped(&text))).await;
            assert!(status == 200 || status == 422, "{text:?}: {answer}");
        }
    }
}
