//! A desk for one test: the program, its data folder, and how a test speaks to it.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tramline_contract::{CustomerId, Order, OrderAccepted, OrderId, OrderState};
use tramline_db::{IdSource as _, SystemIds};
use tramline_http::{Answer, ServiceClient};
use tramline_testing::DeskStores;
use uuid::Uuid;

/// No test waits longer than this for anything.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The program under test.
pub fn program() -> Command {
    let program = std::env::var_os("TRAMLINE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tramline").into());
    let mut command = Command::new(program);
    // A setting of whoever runs the tests is not a setting of the test.
    for name in tramline_testing::SETTINGS {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub fn tramline<const N: usize>(arguments: [&str; N]) -> Output {
    program().args(arguments).output().expect("the program starts")
}

/// Runs the program over the stores of a desk, to its end.
pub fn tramline_on<const N: usize>(stores: &DeskStores, arguments: [&str; N]) -> Output {
    program().args(arguments).envs(stores.settings().iter().cloned()).output().expect("the program starts")
}

/// What a run has printed on standard output and standard error.
pub fn printed(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// An id that was never used before.
pub fn new_id() -> Uuid {
    SystemIds.next()
}

/// A running desk. Dropping it checks that it has left no message and no wrong, and stops it.
pub struct TestDesk {
    process: Option<Child>,
    folder: Option<TempDir>,
    stores: DeskStores,
    pub address: String,
    client: ServiceClient,
    /// What its log may say under ERROR.
    expected: &'static [&'static str],
}

impl TestDesk {
    /// A desk with nothing in it. To be called within a tokio runtime.
    pub fn start() -> Self {
        Self::over(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A desk over the data of an earlier one.
    pub fn over(folder: TempDir) -> Self {
        let stores = DeskStores::of(&folder.path().join("data"));
        Self::on(folder, stores)
    }

    /// A desk on these stores, which may lie elsewhere than in its folder.
    pub fn on(folder: TempDir, stores: DeskStores) -> Self {
        Self::set_up(folder, stores, &[])
    }

    /// A desk with nothing in it that serves its services to other processes that know the secret.
    pub fn sharing(secret: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stores = DeskStores::of(&folder.path().join("data"));
        Self::set_up(folder, stores, &[("TRAMLINE_INTERNAL_SECRET", secret)])
    }

    fn set_up(folder: TempDir, stores: DeskStores, settings: &[(&str, &str)]) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log"));
        let mut process = program()
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .envs(stores.settings().iter().cloned())
            .envs(settings.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(log.expect("the log opens"))
            .spawn()
            .expect("the program starts");
        let mut ready = String::new();
        let output = process.stdout.take().expect("it has an output");
        BufReader::new(output).read_line(&mut ready).expect("the program writes text");
        let Some((_, address)) = ready.trim_end().split_once("Tramline is ready at http://") else {
            panic!("the desk is not ready: {ready:?}, {}", read(&folder.path().join("log")));
        };
        let client = ServiceClient::remote("desk", &format!("http://{address}")).expect("an address");
        Self {
            process: Some(process),
            folder: Some(folder),
            stores,
            address: address.to_owned(),
            client,
            expected: &[],
        }
    }

    /// Says which errors the test provokes: any other in the log fails it.
    pub fn expecting(mut self, errors: &'static [&'static str]) -> Self {
        self.expected = errors;
        self
    }

    /// Where its databases are.
    pub fn stores(&self) -> DeskStores {
        self.stores.clone()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks the process to end, as an operator does.
    fn terminate(&self) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("there is a kill command").success());
    }

    /// Waits until nothing is under way, stops it, and gives its data away.
    pub fn stop(mut self) -> TempDir {
        self.await_calm();
        self.end();
        self.folder.take().expect("it has one until it stops")
    }

    /// Stops in the middle of things and starts again, on another port.
    pub fn restart(mut self) -> Self {
        self.end();
        Self::over(self.folder.take().expect("it has one until it stops"))
    }

    /// No message is left and every invariant holds, or the test fails.
    fn await_calm(&self) {
        let check = tramline_on(&self.stores(), ["check", "--wait", &DEADLINE.as_secs().to_string()]);
        assert!(check.status.success(), "something is left or wrong: {:?}", printed(&check));
    }

    fn end(&mut self) {
        self.terminate();
        let status = self.process.take().expect("it runs").wait().expect("it ends");
        let folder = self.folder.as_ref().expect("it has one until it stops").path();
        let log = read(&folder.join("log"));
        assert!(status.success(), "the desk ends with {status}: {log}");
        let provoked = |line: &str| self.expected.iter().any(|error| line.contains(error));
        let troubled = |line: &str| line.contains("panicked") || line.contains("ERROR") && !provoked(line);
        assert!(!log.lines().any(troubled), "the desk is troubled: {log}");
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).send().await.expect("the desk answers")
    }

    /// Reads a document that must be there.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.json().expect("it is JSON")
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.post_json(path, body).send().await.expect("the desk answers")
    }

    /// Creates a customer of that limit.
    pub async fn customer(&self, name: &str, credit_limit: &str) -> CustomerId {
        let id = CustomerId(new_id());
        let answer = self.post("/api/customers", &json!({"id": id, "name": name, "creditLimit": credit_limit})).await;
        assert_eq!(answer.status, 201);
        id
    }

    /// Places an order. The answer is its acceptance, not its outcome.
    pub async fn place(&self, customer: CustomerId, total: &str) -> OrderAccepted {
        let answer = self.post("/api/orders", &json!({"customerId": customer, "total": total})).await;
        assert_eq!(answer.status, 202);
        answer.json().expect("an acceptance")
    }

    /// Waits until an order is decided.
    pub async fn settled(&self, id: OrderId) -> Order {
        self.settled_at(id, 2).await
    }

    /// Waits until an order has come to a version and no saga holds it.
    pub async fn settled_at(&self, id: OrderId, version: i64) -> Order {
        let settled = async {
            loop {
                // The desk itself waits a moment for that version, so this is no busy loop.
                let answer = self.get(&format!("/api/orders/{id}?minVersion={version}")).await;
                if answer.status == 200 {
                    let order: Order = answer.json().expect("an order");
                    if order.version.0 >= version && order.state.is_settled() {
                        return order;
                    }
                }
            }
        };
        tokio::time::timeout(DEADLINE, settled).await.expect("the order is decided in time")
    }

    /// Places an order and waits for its outcome.
    pub async fn order(&self, customer: CustomerId, total: &str) -> (OrderId, OrderState) {
        let id = self.place(customer, total).await.id;
        (id, self.settled(id).await.state)
    }

    /// Sends bytes that no well-behaved client would: a request line and headers, and a body.
    pub async fn send_raw(&self, head: &str, body: &[u8]) -> RawAnswer {
        let mut stream = TcpStream::connect(&self.address).await.expect("the desk listens");
        let host =
            if head.to_lowercase().contains("\nhost:") { String::new() } else { format!("\nHost: {}", self.address) };
        let chunked = head.to_lowercase().contains("transfer-encoding");
        let length =
            if body.is_empty() || chunked { String::new() } else { format!("\nContent-Length: {}", body.len()) };
        let head = format!("{head}{host}{length}\nConnection: close\n\n").replace('\n', "\r\n");
        let mut answer = Vec::new();
        let exchange = async {
            stream.write_all(head.as_bytes()).await?;
            // The desk may refuse and hang up before it has read everything.
            let _ = stream.write_all(body).await;
            stream.read_to_end(&mut answer).await
        };
        let _ = tokio::time::timeout(DEADLINE, exchange).await.expect("an answer in time");
        RawAnswer::parse(&answer)
    }
}

impl Drop for TestDesk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed already; what counts is that no process is left behind.
            if let Some(mut process) = self.process.take() {
                let _ = process.kill();
                let _ = process.wait();
            }
        } else if self.process.is_some() {
            self.await_calm();
            self.end();
        }
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl RawAnswer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

/// What a file holds.
pub fn read(path: &Path) -> String {
    let mut text = String::new();
    let _ = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    text
}
