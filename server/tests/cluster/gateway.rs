//! A gateway as its clients see it.

use serde_json::{Value, json};
use std::time::Duration;
use tramline_contract::{Order, OrderAccepted, OrderId, Problem};
use tramline_db::{IdSource as _, SystemIds};
use tramline_http::{Answer, BreakerRules, CallError, ServiceClient};
use tramline_testing::Stopwatch;
use uuid::Uuid;

/// How long a client waits for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// No test waits longer than this for anything.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A client of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub name: String,
    pub address: String,
    client: ServiceClient,
}

/// What became of a try to place an order.
pub enum Try {
    /// 202.
    Accepted(OrderAccepted),
    /// Whether it was accepted is unknown, or it was not for now.
    Again,
    /// Never: what the answer says.
    Refused(String),
}

/// What a client was told of a command.
pub enum Told {
    /// It is done, or begun: the version that it made, and the saga.
    Done { version: i64, saga: Option<Uuid> },
    /// It is not done.
    Refused(Problem),
    /// Whether it was done is unknown, or it was not for now.
    Nothing,
}

/// What every answer to a command says.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    version: i64,
    saga_id: Option<Uuid>,
}

pub fn new_id() -> Uuid {
    SystemIds.next()
}

impl Gateway {
    pub fn at(name: &str, address: &str) -> Self {
        // Every failure is tried again here: a test wants to know when a gateway answers again, and not some time later.
        let rules = BreakerRules { failures: u32::MAX, open_for: Duration::ZERO };
        let client = ServiceClient::remote_with(name, &format!("http://{address}"), rules).expect("an address");
        Self { name: name.to_owned(), address: address.to_owned(), client }
    }

    pub async fn get(&self, path: &str) -> Result<Answer, CallError> {
        self.client.get(path).within(ANSWER_MAX).send().await
    }

    /// Sends a command once.
    pub async fn command(&self, path: &str, body: &Value) -> Told {
        match self.client.post_json(path, body).within(ANSWER_MAX).send().await {
            Ok(answer) if answer.status.is_success() => {
                let Made { version, saga_id } = answer.json().expect("a version");
                Told::Done { version, saga: saga_id }
            }
            Ok(answer) if answer.status.is_server_error() || answer.status == 429 => Told::Nothing,
            Ok(answer) => Told::Refused(answer.json().expect("a problem")),
            Err(_) => Told::Nothing,
        }
    }

    /// Tries once to place an order.
    pub async fn place(&self, body: &Value) -> Try {
        let answer = self.client.post_json("/api/orders", body).within(ANSWER_MAX).send().await;
        match answer {
            Ok(answer) if answer.status == 202 => Try::Accepted(answer.json().expect("an acceptance")),
            Ok(answer) if answer.status.is_server_error() || answer.status == 429 => Try::Again,
            Ok(answer) => Try::Refused(String::from_utf8_lossy(&answer.body).into_owned()),
            Err(_) => Try::Again,
        }
    }

    /// Creates a customer, trying until it is done.
    pub async fn customer(&self, id: Uuid, credit_limit: &str) {
        let body = json!({"id": id, "name": format!("Customer {id}"), "creditLimit": credit_limit});
        let watch = Stopwatch::start();
        loop {
            let answer = self.client.post_json("/api/customers", &body).within(ANSWER_MAX).send().await;
            match answer {
                Ok(answer) if answer.status == 201 => return,
                Ok(answer) => assert!(answer.status.is_server_error(), "{answer:?}"),
                Err(_) => {}
            }
            assert!(watch.elapsed() < DEADLINE, "{} creates no customer", self.name);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Places an order, trying until it is accepted.
    pub async fn insist(&self, id: Uuid, customer: Uuid, total: &str) -> OrderAccepted {
        let body = json!({"id": id, "customerId": customer, "total": total});
        let watch = Stopwatch::start();
        loop {
            match self.place(&body).await {
                Try::Accepted(accepted) => return accepted,
                Try::Again => {}
                Try::Refused(reason) => panic!("{id} was refused: {reason}"),
            }
            assert!(watch.elapsed() < DEADLINE, "{} accepts no order", self.name);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The order as the view shows it; `None` when it does not, or when nobody answers.
    pub async fn order(&self, id: Uuid) -> Option<Order> {
        let answer = self.get(&format!("/api/orders/{}", OrderId(id))).await.ok()?;
        if answer.status == 200 { answer.json().ok() } else { None }
    }

    /// Waits until the view shows that an order is decided.
    pub async fn settled(&self, id: Uuid) -> Order {
        let watch = Stopwatch::start();
        loop {
            if let Some(order) = self.order(id).await.filter(|order| order.state.is_settled()) {
                return order;
            }
            assert!(watch.elapsed() < DEADLINE, "order {id} is not decided");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The numbers of a process: every sample with its labels, as Prometheus would read them.
pub async fn metrics(address: &str) -> Vec<(String, f64)> {
    let client = ServiceClient::remote("process", &format!("http://{address}")).expect("an address");
    let answer = client.get("/metrics").send().await.expect("the process answers");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// The sum of the samples whose name and labels hold all these words.
pub fn sum(samples: &[(String, f64)], words: &[&str]) -> f64 {
    samples.iter().filter(|(name, _)| words.iter().all(|word| name.contains(word))).map(|(_, value)| value).sum()
}
