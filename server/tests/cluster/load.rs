//! Clients that place orders, one after the other each, and write down what they asked for, when, and what they were told.

use crate::{
    gateway::{Gateway, Try, new_id},
    socket::Socket,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tramline_contract::{CustomerId, Money};
use tramline_testing::Stopwatch;
use uuid::Uuid;

/// Clients per gateway.
const CLIENTS: u64 = 4;
/// Between two orders of a client; what a person with a keyboard does not reach.
const PAUSE_MS: std::ops::Range<u64> = 40..320;
/// Between two tries of one order.
const RETRY: Duration = Duration::from_millis(50);
/// When an order that was asked for is still not accepted, something is broken for good.
const GIVE_UP: Duration = Duration::from_secs(60);
/// One order in so many is for a customer that nobody knows.
const UNKNOWN_EVERY: u32 = 20;

/// What a client did and was told (an operation of a history, as in Jepsen).
#[derive(Clone, Debug)]
pub struct Placed {
    pub id: Uuid,
    pub customer: CustomerId,
    pub total: Money,
    /// When it was first sent, since the start of the test.
    pub invoked: Duration,
    /// When its 202 came. `None`: it never did.
    pub accepted: Option<Duration>,
    /// Every saga that a 202 has named.
    pub saga: Option<Uuid>,
    pub tries: u32,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<(), String>>,
    placed: Arc<Mutex<Vec<Placed>>>,
}

/// What the clients of one load share.
#[derive(Clone)]
struct Shared {
    gateways: Vec<Gateway>,
    sockets: Vec<Socket>,
    customers: Arc<[Uuid]>,
    clock: Stopwatch,
    stop: Arc<AtomicBool>,
    placed: Arc<Mutex<Vec<Placed>>>,
}

impl Load {
    /// Starts clients at every gateway. Each stays with its own and turns to another when that does not answer.
    pub fn start(sockets: &[Socket], customers: Vec<Uuid>, clock: Stopwatch, seed: u64) -> Self {
        let (stop, placed) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Placed>>>::default());
        let shared = Shared {
            gateways: sockets.iter().map(|socket| socket.gateway.clone()).collect(),
            sockets: sockets.to_vec(),
            customers: customers.into(),
            clock,
            stop: Arc::clone(&stop),
            placed: Arc::clone(&placed),
        };
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS * sockets.len() as u64 {
            clients.spawn(work(shared.clone(), client, StdRng::seed_from_u64(seed ^ (client << 32))));
        }
        Self { stop, clients, placed }
    }

    /// Lets every client finish its order, and returns the history.
    pub async fn stop(mut self) -> Result<Vec<Placed>, String> {
        self.stop.store(true, Ordering::SeqCst);
        let mut outcome = Ok(());
        while let Some(client) = self.clients.join_next().await {
            outcome = outcome.and(client.expect("a client does not panic"));
        }
        outcome?;
        Ok(std::mem::take(&mut *self.placed.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn work(shared: Shared, client: u64, mut random: StdRng) -> Result<(), String> {
    while !shared.stop.load(Ordering::SeqCst) {
        let known = !random.random_ratio(1, UNKNOWN_EVERY);
        // The first customer is everybody's: the order of commands is contested there.
        let place = if random.random_ratio(1, 3) { 0 } else { random.random_range(0..shared.customers.len()) };
        let customer = if known { shared.customers[place] } else { new_id() };
        let total = Money::from_minor(random.random_range(1..30) * 100);
        let placed = place_until_accepted(&shared, client, customer, total).await;
        let lost = placed.accepted.is_none().then_some(placed.id);
        shared.placed.lock().unwrap_or_else(PoisonError::into_inner).push(placed);
        if let Some(id) = lost {
            return Err(format!("order {id} was asked for over {} s and never accepted", GIVE_UP.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(PAUSE_MS))).await;
    }
    Ok(())
}

/// The same id and the same body until there is an answer, at whichever gateway.
async fn place_until_accepted(shared: &Shared, client: u64, customer: Uuid, total: Money) -> Placed {
    let id = new_id();
    shared.sockets.iter().for_each(|socket| socket.awaits(id));
    let body = json!({"id": id, "customerId": customer, "total": total});
    let invoked = shared.clock.elapsed();
    let customer = CustomerId(customer);
    let mut placed = Placed { id, customer, total, invoked, accepted: None, saga: None, tries: 0 };
    while shared.clock.elapsed() < invoked + GIVE_UP {
        let turn = usize::try_from(client + u64::from(placed.tries)).unwrap_or_default();
        let gateway = &shared.gateways[turn % shared.gateways.len()];
        placed.tries += 1;
        match gateway.place(&body).await {
            Try::Accepted(accepted) => {
                placed.accepted = Some(shared.clock.elapsed());
                placed.saga = accepted.saga_id.map(|saga| saga.0);
                break;
            }
            Try::Again => tokio::time::sleep(RETRY).await,
            Try::Refused(reason) => panic!("{} refuses order {id}: {reason}", gateway.name),
        }
    }
    placed
}
