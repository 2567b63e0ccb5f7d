//! Kills the real server at random moments under load, again and again, and proves that nothing was lost or done twice.
//!
//! `TRAMLINE_KILLS` sets how often (30 by default), `TRAMLINE_SEED` repeats the moments of a run.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tramline_contract::{Order, OrderState, PaymentId};
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds};
use tramline_http::ServiceClient;
use tramline_order_history::{RedisView, SqlView, ViewStore, read_view};
use tramline_redis::{Redis, RedisSettings};
use tramline_testing::DeskStores;
use uuid::Uuid;

const CUSTOMERS: u64 = 6;
const CLIENTS: u64 = 8;
/// So that each customer's limit is reached during the run, and refusals are decided under fire too.
const LIMIT: &str = "4000.00";
const TOTALS: [&str; 4] = ["10.00", "12.50", "30.00", "7.01"];
/// Cancellations and revisions that must have begun before the last kill.
const CHANGES_MIN: u64 = 30;
/// Spreads changes over all orders so far: old ones are decided, young ones may not be.
const SCATTER: u64 = 7_919;

/// The server's present life; the address changes with each.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let program = std::env::var_os("TRAMLINE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tramline").into());
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .envs(DeskStores::of(data).settings().iter().cloned())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(process.stdout.take().expect("it has an output"));
        let ready =
            output.lines().map_while(Result::ok).find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
        let address = ready.expect("the server says where it listens");
        Self { process, address }
    }

    /// SIGKILL: no chance to tidy up.
    fn kill(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already when the test fails; what counts is that none is left behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn id(kind: u64, number: u64) -> Uuid {
    Uuid::from_u64_pair(kind << 32, number | (0x8000 << 48))
}

/// Sends until the server has answered, over however many of its lives: same id, same body. `None` when it is time to stop.
async fn ask(address: &Mutex<String>, path: &str, body: &Value, stop: &AtomicBool) -> Option<u16> {
    while !stop.load(Ordering::SeqCst) {
        let base = format!("http://{}", address.lock().expect("no panic").clone());
        if let Ok(client) = ServiceClient::remote("desk", &base)
            && let Ok(answer) = client.post_json(path, body).within(Duration::from_secs(5)).send().await
            && !answer.status.is_server_error()
        {
            return Some(answer.status.as_u16());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    None
}

/// As [`ask`], for what cannot be refused.
async fn insist(address: &Mutex<String>, path: &str, body: &Value, stop: &AtomicBool) -> bool {
    let status = ask(address, path, body, stop).await;
    assert!(status.is_none_or(|status| status < 300), "{path} {body} is answered {status:?}");
    status.is_some()
}

/// What was acknowledged.
#[derive(Default)]
struct Told {
    orders: Vec<Uuid>,
    payments: Vec<Uuid>,
    /// Cancellations and revisions that began, as far as their answer was heard.
    changes: u64,
}

/// What else a client does beside placing orders: it changes one that was placed before, pays, and moves a limit.
async fn change(number: u64, address: &Mutex<String>, stop: &AtomicBool, told: &Mutex<Told>) {
    let earlier = {
        let told = told.lock().expect("no panic");
        let place = (number * SCATTER).checked_rem(told.orders.len() as u64);
        place.and_then(|place| told.orders.get(usize::try_from(place).ok()?)).copied()
    };
    if let Some(order) = earlier.filter(|_| number % 3 < 2) {
        let (what, body) = match number % 3 {
            0 => ("cancel", json!({})),
            _ => ("revise", json!({"total": TOTALS[usize::try_from(number / 3 % 4).expect("it is small")]})),
        };
        // 409 is an answer too: it is rejected, or another client holds it, or this one does since an answer was lost.
        if ask(address, &format!("/api/orders/{order}/{what}"), &body, stop).await == Some(202) {
            told.lock().expect("no panic").changes += 1;
        }
    }
    let customer = id(1, number % CUSTOMERS);
    if number.is_multiple_of(7) {
        let body = json!({"id": id(3, number), "amount": "5.00", "reference": format!("check {number}")});
        if insist(address, &format!("/api/customers/{customer}/payments"), &body, stop).await {
            told.lock().expect("no panic").payments.push(id(3, number));
        }
    }
    if number.is_multiple_of(23) {
        let body = json!({"creditLimit": if number.is_multiple_of(2) { LIMIT } else { "3000.00" }});
        insist(address, &format!("/api/customers/{customer}/credit-limit"), &body, stop).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_an_accepted_order_or_decides_one_twice() {
    let setting = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (kills, seed) = (setting("TRAMLINE_KILLS", 30_u64), setting("TRAMLINE_SEED", 20_261_124_u64));
    println!("TRAMLINE_SEED={seed} TRAMLINE_KILLS={kills}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Server::start(folder.path());
    let (address, stop) = (Arc::new(Mutex::new(server.address.clone())), Arc::new(AtomicBool::new(false)));
    for number in 0..CUSTOMERS {
        let body = json!({"id": id(1, number), "name": format!("Customer {number}"), "creditLimit": LIMIT});
        assert!(insist(&address, "/api/customers", &body, &stop).await);
    }

    let (next, told) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Told::default())));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (address, stop, next, told) = (address.clone(), stop.clone(), next.clone(), told.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    // Every twentieth customer is one that nobody knows.
                    let customer = if number.is_multiple_of(20) { id(9, number) } else { id(1, number % CUSTOMERS) };
                    let total = TOTALS[usize::try_from(number % 4).expect("it is small")];
                    let body = json!({"id": id(2, number), "customerId": customer, "total": total});
                    if insist(&address, "/api/orders", &body, &stop).await {
                        told.lock().expect("no panic").orders.push(id(2, number));
                    }
                    change(number, &address, &stop, &told).await;
                }
            })
        })
        .collect();

    for kill in 1..=kills {
        tokio::time::sleep(Duration::from_micros(random.random_range(20_000..350_000))).await;
        if kill == kills {
            // On shared stores a new life waits for the leases of the one before, so in short lives little is decided and
            // nothing can be changed. The last kill comes when changes are under way.
            await_changes(&told).await;
        }
        server.kill();
        server = Server::start(folder.path());
        address.lock().expect("no panic").clone_from(&server.address);
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("a client does not panic");
    }
    let told = std::mem::take(&mut *told.lock().expect("no panic"));
    let (orders, payments) = (told.orders.len(), told.payments.len());
    println!("{orders} orders, {payments} payments and {} changes were accepted over {kills} kills", told.changes);
    assert!(orders as u64 > kills && payments > 0, "there was load");

    calm(&server.address, folder.path()).await;
    let decided = settle(&server.address, &told.orders).await;
    server.kill();
    verify(folder.path(), &decided, &told.payments).await;
}

async fn await_changes(told: &Mutex<Told>) {
    let enough = async {
        while told.lock().expect("no panic").changes < CHANGES_MIN {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), enough).await.expect("orders are decided and changed");
}

/// Waits until no saga is under way and everybody has heard of everything.
async fn calm(address: &str, data: &Path) {
    let desk = ServiceClient::remote("desk", &format!("http://{address}")).expect("an address");
    let quiet = async {
        for state in ["RUNNING", "COMPENSATING"] {
            while desk.get(&format!("/api/sagas?limit=1&state={state}")).json::<Value>().await.expect("it answers")
                != json!({"items": []})
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), quiet).await.expect("every saga ends");
    let program = std::env::var_os("TRAMLINE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tramline").into());
    let mut check = Command::new(program);
    check.args(["check", "--wait", "60"]).envs(DeskStores::of(data).settings().iter().cloned());
    let check = check.output().expect("the program starts");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Waits until every accepted order is decided; a stuck one fails the test.
async fn settle(address: &str, accepted: &[Uuid]) -> HashMap<Uuid, Order> {
    let desk = ServiceClient::remote("desk", &format!("http://{address}")).expect("an address");
    let mut decided = HashMap::new();
    let wait = async {
        for id in accepted {
            let mut told = 0;
            loop {
                let found =
                    desk.get(&format!("/api/orders/{id}?minVersion=2")).send().await.expect("the server answers");
                assert_ne!((found.status.as_u16(), told), (404, 20), "order {id} was accepted and is lost");
                told += u32::from(found.status == 404);
                if found.status == 200 {
                    let order: Order = found.json().expect("an order");
                    if order.state.is_settled() {
                        decided.insert(*id, order);
                        break;
                    }
                }
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(in_time.is_ok(), "{} of {} accepted orders are decided", decided.len(), accepted.len());
    decided
}

/// Holds the stores against each other and against what the clients were told.
async fn verify(folder: &Path, decided: &HashMap<Uuid, Order>, payments: &[Uuid]) {
    let stores = DeskStores::of(folder);
    let open = async |name: &'static str, migrations: Vec<tramline_db::Migration>| {
        let address = Address::parse(&stores.database(name)).expect("it reads");
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        Db::open(name, &address, Durability::Full, &migrations, clock, ids).await.expect("it opens")
    };
    let customers = open("customers", tramline_customers::migrations()).await;
    let orders = open("orders", tramline_orders::migrations()).await;
    let history = open("history", tramline_order_history::migrations()).await;

    let (accounts, wrong) = tramline_customers::invariants::replay(&customers).await.expect("it reads");
    assert_eq!(wrong, Vec::<String>::new());
    let (truth, wrong) = tramline_orders::invariants::read(&orders).await.expect("it reads");
    assert_eq!(wrong, Vec::<String>::new());
    let truth: HashMap<_, _> = truth.into_iter().collect();
    let view = match (stores.setting("TRAMLINE_REDIS"), stores.setting("TRAMLINE_REDIS_PREFIX")) {
        (Some(url), Some(prefix)) => {
            let settings = RedisSettings::parse(url, prefix).expect("the address reads");
            ViewStore::Redis(RedisView::new(Redis::connect(settings).await.expect("it answers")))
        }
        _ => ViewStore::Sql(SqlView::new(history.clone())),
    };
    let (_, view) = read_view(&view).await.expect("it reads");

    // What a client was told is what the truth says, and each order has had two events for each of its sagas.
    for (id, order) in decided {
        let stored = truth.get(&order.id).unwrap_or_else(|| panic!("order {id} was accepted and is lost"));
        assert_eq!((stored.state, stored.total, stored.version), (order.state, order.total, order.version));
        assert_eq!(stored.version.0 % 2, 0, "order {id} is in version {}", stored.version.0);
    }
    // Every payment that was acknowledged is there; that none counts twice, the ledger and the replay have said.
    for payment in payments {
        let known = accounts.values().filter(|account| account.payments.contains_key(&PaymentId(*payment))).count();
        assert_eq!(known, 1, "payment {payment} was acknowledged");
    }
    // Credit is held for exactly the approved orders.
    let held: usize = accounts.values().map(|account| account.reservations.len()).sum();
    let approved: Vec<_> = truth.iter().filter(|(_, order)| order.state == OrderState::Approved).collect();
    assert_eq!(held, approved.len());
    for (id, order) in approved {
        let account = accounts.get(&order.customer_id).expect("an approved order has a customer");
        assert_eq!(account.reservations.get(id), Some(&order.total));
    }
    // The view shows the truth.
    assert_eq!(view.len(), truth.len());
    for order in view {
        let stored = truth[&order.id];
        assert_eq!((order.state.as_str(), order.version), (stored.state.as_str(), stored.version.0), "{:?}", order.id);
    }
    for (name, db) in [("customers", &customers), ("orders", &orders), ("history", &history)] {
        let parked = tramline_messaging::Parked::list(db).await.expect("it reads");
        assert!(parked.is_empty(), "{name} has parked {parked:?}");
    }
}
