//! Kills the real server at random moments under load, again and again, and proves that nothing was lost or done twice.
//!
//! `TRAMLINE_KILLS` sets how often (30 by default), `TRAMLINE_SEED` repeats the moments of a run.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
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
use tramline_contract::{Order, OrderState};
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

/// Sends until the server has answered, over however many of its lives: same id, same body.
async fn insist(address: &Mutex<String>, path: &str, body: &serde_json::Value, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::SeqCst) {
        let base = format!("http://{}", address.lock().expect("no panic").clone());
        if let Ok(client) = ServiceClient::remote("desk", &base)
            && let Ok(answer) = client.post_json(path, body).within(Duration::from_secs(5)).send().await
            && answer.granted().is_ok()
        {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
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
        let body = serde_json::json!({"id": id(1, number), "name": format!("Customer {number}"), "creditLimit": LIMIT});
        assert!(insist(&address, "/api/customers", &body, &stop).await);
    }

    let (next, accepted) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (address, stop, next, accepted) = (address.clone(), stop.clone(), next.clone(), accepted.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    // Every twentieth customer is one that nobody knows.
                    let customer = if number.is_multiple_of(20) { id(9, number) } else { id(1, number % CUSTOMERS) };
                    let total = TOTALS[usize::try_from(number % 4).expect("it is small")];
                    let body = serde_json::json!({"id": id(2, number), "customerId": customer, "total": total});
                    if insist(&address, "/api/orders", &body, &stop).await {
                        accepted.lock().expect("no panic").push(id(2, number));
                    }
                }
            })
        })
        .collect();

    for _ in 0..kills {
        tokio::time::sleep(Duration::from_micros(random.random_range(20_000..350_000))).await;
        server.kill();
        server = Server::start(folder.path());
        address.lock().expect("no panic").clone_from(&server.address);
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("a client does not panic");
    }
    let accepted = std::mem::take(&mut *accepted.lock().expect("no panic"));
    println!("{} orders were accepted over {kills} kills", accepted.len());
    assert!(accepted.len() as u64 > kills, "there was load");

    let decided = settle(&server.address, &accepted).await;
    server.kill();
    verify(folder.path(), &decided).await;
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
                    if order.state != OrderState::Pending {
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
async fn verify(folder: &Path, decided: &HashMap<Uuid, Order>) {
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

    // What a client was told is what the truth says, and each order has had exactly two events.
    for (id, order) in decided {
        let stored = truth.get(&order.id).unwrap_or_else(|| panic!("order {id} was accepted and is lost"));
        assert_eq!((stored.state, stored.total, stored.version.0), (order.state, order.total, 2));
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
