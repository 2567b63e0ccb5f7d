//! Clients that place, cancel and revise orders, pay and change limits, one command after the other each, and write down what
//! they asked for, when, and what they were told.

use crate::{
    gateway::{Gateway, Told, new_id},
    operations::{Answer, Command, Operation},
    socket::Socket,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, PaymentId};
use tramline_testing::Stopwatch;
use uuid::Uuid;

/// Clients per gateway.
const CLIENTS: u64 = 4;
/// Between two commands of a client in a short run; what a person with a keyboard does not reach.
const PAUSE_MS: Range<u64> = 40..320;
/// A run of this length and all longer ones bring about as much: a Redis that was emptied is filled from all that ever happened, and
/// how long that takes shall tell of the desk, not of the run's length.
const FULL_PACE: Duration = Duration::from_secs(400);
/// Between two tries of one command.
const RETRY: Duration = Duration::from_millis(50);
/// When a command that may be repeated is still not accepted, something is broken for good.
const GIVE_UP: Duration = Duration::from_secs(60);
/// One order in so many is for a customer that nobody knows.
const UNKNOWN_EVERY: u32 = 20;
/// Two orders of so many have sagas that nobody leads.
const CHOREOGRAPHED_OF_FIVE: u32 = 2;
/// Orders that clients change, the newest: few enough that two meet on one.
const CHANGEABLE_MAX: usize = 24;
/// Limits that customers are given, in minor units: some are below what is reserved by then.
const LIMITS: [i64; 5] = [2_000, 6_000, 12_000, 25_000, 500_000];

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<(), String>>,
    history: Arc<Mutex<Vec<Operation>>>,
}

/// What the clients of one load share.
#[derive(Clone)]
struct Shared {
    gateways: Vec<Gateway>,
    sockets: Vec<Socket>,
    customers: Arc<[Uuid]>,
    /// Orders that were accepted, for anybody to change.
    orders: Arc<Mutex<VecDeque<OrderId>>>,
    clock: Stopwatch,
    pause: Range<u64>,
    stop: Arc<AtomicBool>,
    history: Arc<Mutex<Vec<Operation>>>,
}

/// Between two commands of a client in a run of this length, in milliseconds.
fn pause(run: Duration) -> Range<u64> {
    let slower = run.max(FULL_PACE).as_secs_f64() / FULL_PACE.as_secs_f64();
    let longer = |ms: u64| (ms as f64 * slower) as u64;
    longer(PAUSE_MS.start)..longer(PAUSE_MS.end)
}

impl Load {
    /// Starts clients at every gateway for one burst of a run that goes on for `run`. Each stays with its own gateway and turns to
    /// another when that does not answer.
    pub fn start(sockets: &[Socket], customers: Vec<Uuid>, clock: Stopwatch, seed: u64, run: Duration) -> Self {
        let (stop, history) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Operation>>>::default());
        let shared = Shared {
            gateways: sockets.iter().map(|socket| socket.gateway.clone()).collect(),
            sockets: sockets.to_vec(),
            customers: customers.into(),
            orders: Arc::default(),
            clock,
            pause: pause(run),
            stop: Arc::clone(&stop),
            history: Arc::clone(&history),
        };
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS * sockets.len() as u64 {
            clients.spawn(work(shared.clone(), client, StdRng::seed_from_u64(seed ^ (client << 32))));
        }
        Self { stop, clients, history }
    }

    /// Lets every client finish its command, and returns the history.
    pub async fn stop(mut self) -> Result<Vec<Operation>, String> {
        self.stop.store(true, Ordering::SeqCst);
        let mut outcome = Ok(());
        while let Some(client) = self.clients.join_next().await {
            outcome = outcome.and(client.expect("a client does not panic"));
        }
        outcome?;
        Ok(std::mem::take(&mut *lock(&self.history)))
    }
}

async fn work(shared: Shared, client: u64, mut random: StdRng) -> Result<(), String> {
    while !shared.stop.load(Ordering::SeqCst) {
        let command = draw(&shared, &mut random);
        if let Command::Place { order, .. } = command {
            shared.sockets.iter().for_each(|socket| socket.awaits(order.0));
        }
        let operation = carry_out(&shared, client, command).await;
        let lost = is_repeatable(&command) && operation.answer == Answer::Lost;
        if let (Command::Place { order, .. }, Answer::Accepted { .. }) = (command, &operation.answer) {
            let mut orders = lock(&shared.orders);
            orders.push_back(order);
            if orders.len() > CHANGEABLE_MAX {
                orders.pop_front();
            }
        }
        lock(&shared.history).push(operation);
        if lost {
            return Err(format!("{command:?} was asked for over {} s and never answered", GIVE_UP.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(shared.pause.clone()))).await;
    }
    Ok(())
}

/// What a client does next.
fn draw(shared: &Shared, random: &mut StdRng) -> Command {
    // The first customer is everybody's: the order of commands is contested there.
    let place = if random.random_ratio(1, 3) { 0 } else { random.random_range(0..shared.customers.len()) };
    let customer = CustomerId(shared.customers[place]);
    let total = Money::from_minor(random.random_range(1..30) * 100);
    let order = {
        let orders = lock(&shared.orders);
        (!orders.is_empty()).then(|| orders[random.random_range(0..orders.len())])
    };
    match (random.random_range(0..100), order) {
        (45..62, Some(order)) => Command::Cancel { order },
        (62..82, Some(order)) => Command::Revise { order, total },
        (82..92, _) => {
            let amount = Money::from_minor(random.random_range(1..1_000));
            Command::Pay { customer, payment: PaymentId(new_id()), amount }
        }
        (92.., _) => {
            let limit = Money::from_minor(LIMITS[random.random_range(0..LIMITS.len())]);
            Command::SetLimit { customer, limit }
        }
        _ => {
            let unknown = random.random_ratio(1, UNKNOWN_EVERY);
            let customer = if unknown { CustomerId(new_id()) } else { customer };
            let choreographed = random.random_ratio(CHOREOGRAPHED_OF_FIVE, 5);
            let coordination = if choreographed { Coordination::Choreography } else { Coordination::Orchestration };
            Command::Place { order: OrderId(new_id()), customer, total, coordination }
        }
    }
}

/// Whether it may be sent again when its answer was lost: it has an idempotency key.
const fn is_repeatable(command: &Command) -> bool {
    matches!(command, Command::Place { .. } | Command::Pay { .. })
}

fn request(command: &Command) -> (String, Value) {
    match command {
        Command::Place { order, customer, total, coordination } => (
            "/api/orders".to_owned(),
            json!({"id": order, "customerId": customer, "total": total, "coordination": coordination}),
        ),
        Command::Cancel { order } => (format!("/api/orders/{order}/cancel"), json!({})),
        Command::Revise { order, total } => (format!("/api/orders/{order}/revise"), json!({"total": total})),
        Command::Pay { customer, payment, amount } => {
            (format!("/api/customers/{customer}/payments"), json!({"id": payment, "amount": amount}))
        }
        Command::SetLimit { customer, limit } => {
            (format!("/api/customers/{customer}/credit-limit"), json!({"creditLimit": limit}))
        }
    }
}

/// The same id and the same body until there is an answer, at whichever gateway; once, where there is no id.
async fn carry_out(shared: &Shared, client: u64, command: Command) -> Operation {
    let (path, body) = request(&command);
    let invoked = shared.clock.elapsed();
    let mut tries = 0;
    let answer = loop {
        let turn = usize::try_from(client + u64::from(tries)).unwrap_or_default();
        let gateway = &shared.gateways[turn % shared.gateways.len()];
        tries += 1;
        match gateway.command(&path, &body).await {
            Told::Done { version, saga } => break Answer::Accepted { version, saga },
            Told::Refused(problem) => {
                break Answer::Refused { code: problem.code, by: problem.locked_by.map(|saga| saga.0) };
            }
            Told::Nothing if !is_repeatable(&command) || shared.clock.elapsed() > invoked + GIVE_UP => {
                break Answer::Lost;
            }
            Told::Nothing => tokio::time::sleep(RETRY).await,
        }
    };
    Operation { command, invoked, answered: shared.clock.elapsed(), answer, tries }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
