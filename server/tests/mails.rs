//! Kills the whole desk again and again while its mails go to a real mail server, and holds what arrived against what was decided.
//!
//! `TRAMLINE_KILLS` sets how often (8 by default), `TRAMLINE_SEED` repeats the moments of a run.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{collections::HashMap, path::Path, process::Command, time::Duration};
use tramline_db::{IdSource as _, SystemIds};
use tramline_http::ServiceClient;
use tramline_testing::{DeskStores, PrivateSmtp, Process, Stopwatch};
use uuid::Uuid;

/// No test waits longer than this for anything.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Orders between two kills.
const ORDERS: usize = 25;

fn program() -> std::ffi::OsString {
    std::env::var_os("TRAMLINE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tramline").into())
}

/// One life of the desk.
struct Life {
    process: Process,
    client: ServiceClient,
}

impl Life {
    fn start(folder: &Path, server: &PrivateSmtp) -> Self {
        let mut settings: Vec<_> = DeskStores::of(&folder.join("data"))
            .settings()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        for (name, value) in [
            ("TRAMLINE_MAIL", format!("smtp://{}", server.address())),
            ("TRAMLINE_MAIL_FROM", "desk@example.org".to_owned()),
            ("TRAMLINE_MAIL_TO", "customer-{id}@example.org".to_owned()),
        ] {
            settings.push((name.to_owned(), value));
        }
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--log", "warn"];
        let process = Process::start(program(), &arguments, &settings, &folder.join("log"));
        let watch = Stopwatch::start();
        let address = loop {
            if let Some(address) = process.address() {
                break address;
            }
            assert!(watch.elapsed() < DEADLINE && !process.has_ended(), "the desk does not start");
            std::thread::sleep(LOOK_EVERY);
        };
        let client = ServiceClient::remote("desk", &format!("http://{address}")).expect("an address");
        Self { process, client }
    }

    async fn place(&self, id: Uuid, customer: Uuid, total: &str) {
        let body = json!({"id": id, "customerId": customer, "total": total});
        assert_eq!(self.client.post_json("/api/orders", &body).send().await.expect("it answers").status, 202);
    }

    async fn json(&self, path: &str) -> Value {
        self.client.get(path).json().await.expect("it is there")
    }

    /// Every mail that the service knows, by order.
    async fn mails(&self) -> HashMap<String, Value> {
        let (mut mails, mut cursor) = (HashMap::new(), String::new());
        loop {
            let page = self.json(&format!("/api/operations/mails?limit=100&cursor={cursor}")).await;
            for mail in page["items"].as_array().expect("a list") {
                let order = mail["orderId"].as_str().expect("an id").to_owned();
                assert!(mails.insert(order, mail.clone()).is_none(), "one mail tells of a decision");
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return mails,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decision_is_told_once_however_often_the_desk_is_killed() {
    if std::env::var_os(tramline_testing::REDIS).is_some() {
        eprintln!("left out: where processes share the work, what a killed sender had in hand waits for three minutes");
        return;
    }
    let setting = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (kills, seed) = (setting("TRAMLINE_KILLS", 8_u64).min(50), setting("TRAMLINE_SEED", 20_261_128_u64));
    println!("TRAMLINE_SEED={seed} TRAMLINE_KILLS={kills}");
    let mut random = StdRng::seed_from_u64(seed);
    let Some(mut server) = PrivateSmtp::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut life = Life::start(folder.path(), &server);
    let customer = SystemIds.next();
    let created = json!({"id": customer, "name": "Ada", "creditLimit": "1500.00"});
    assert_eq!(life.client.post_json("/api/customers", &created).send().await.expect("it answers").status, 201);

    let mut orders = Vec::new();
    for kill in 0..kills {
        for _ in 0..ORDERS {
            let id = SystemIds.next();
            life.place(id, customer, "10.00").await;
            orders.push(id.to_string());
        }
        // The mails of a moment later are on their way by then.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..600))).await;
        match kill % 4 {
            // The server is away for the whole next life.
            2 => server.stop(),
            3 => server.go_on(),
            _ => {}
        }
        life.process.kill();
        life = Life::start(folder.path(), &server);
    }
    if kills % 4 == 3 {
        server.go_on();
    }
    let watch = Stopwatch::start();
    let mails = loop {
        let mails = life.mails().await;
        if mails.len() == orders.len() && mails.values().all(|mail| mail["state"] == "SENT") {
            break mails;
        }
        assert!(watch.elapsed() < DEADLINE, "{} of {} mails", mails.len(), orders.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };

    let mut received: HashMap<String, usize> = HashMap::new();
    for mail in server.mails() {
        *received.entry(mail.message_id).or_default() += 1;
    }
    assert_eq!(received.len(), orders.len(), "every decision has arrived");
    let (mut twice, mut marked) = (0, 0);
    for order in &orders {
        let (decided, mail) = (life.json(&format!("/api/orders/{order}")).await, &mails[order]);
        assert_eq!(decided["state"], mail["about"], "what was told is what is true");
        let copies = received[&format!("{}@example.org", mail["id"].as_str().expect("an id"))];
        marked += usize::from(mail["duplicatePossible"] == true);
        if copies > 1 {
            twice += 1;
            assert_eq!(mail["duplicatePossible"], true, "{copies} copies that nobody knows of: {mail}");
        }
    }
    println!("{} mails, {twice} of them twice, {marked} marked as possible copies", orders.len());
    drop(life);
    let check = Command::new(program())
        .args(["check", "--wait", "5"])
        .envs(DeskStores::of(&folder.path().join("data")).settings().iter().cloned())
        .output()
        .expect("the program starts");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
