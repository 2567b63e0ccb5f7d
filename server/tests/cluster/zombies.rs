//! Owners that stand still for longer than their lease and wake up believing in it: others went on, and the late work changes
//! nothing.

use crate::{
    fleet::{Fleet, RelayKind},
    gateway::{metrics, new_id, sum},
    history::{Databases, judge},
    load::Load,
    operations::{Answer, Command, Operation},
    socket::Socket,
    turn,
};
use std::time::Duration;
use tramline_contract::{Coordination, OrderId};
use tramline_testing::Stopwatch;
use uuid::Uuid;

/// Longer than a lease, and than the server lets a session sit in a transaction or on the log.
const STANDSTILL: Duration = Duration::from_secs(5);
/// How long orders flow before and after.
const FLOW: Duration = Duration::from_millis(1_500);
const DEADLINE: Duration = Duration::from_secs(30);
const CUSTOMERS: u64 = 8;
const LIMIT: &str = "300.00";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_owner_that_wakes_after_its_lease_changes_nothing_with_a_polling_relay() {
    zombies(RelayKind::Polling).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_owner_that_wakes_after_its_lease_changes_nothing_with_a_relay_on_the_log() {
    zombies(RelayKind::Wal).await;
}

async fn zombies(relay: RelayKind) {
    let _turn = turn().await;
    let Some(mut fleet) = Fleet::start(relay).await else { return };
    let clock = Stopwatch::start();
    let sockets: Vec<_> = fleet.gateways().into_iter().map(Socket::open).collect();
    let mut history: Vec<Operation> = Vec::new();
    for role in ["customers", "orders", "history"] {
        let mut customers: Vec<Uuid> = Vec::new();
        for _ in 0..CUSTOMERS {
            customers.push(new_id());
            sockets[0].gateway.customer(new_id(), LIMIT).await;
            sockets[1].gateway.customer(customers[customers.len() - 1], LIMIT).await;
        }
        let zombie = owner(&fleet, role).await;
        let load = Load::start(&sockets, customers.clone(), clock, 1, Duration::ZERO);
        tokio::time::sleep(FLOW).await;
        fleet.instance(&zombie).stand_still();
        let watch = Stopwatch::start();
        // What is placed now is decided by others, while the owner still stands.
        let order = new_id();
        sockets.iter().for_each(|socket| socket.awaits(order));
        let accepted = sockets[1].gateway.insist(order, customers[1], "1.00").await;
        let decided = sockets[1].gateway.settled(order).await;
        println!("{zombie} stands still: an order placed meanwhile is {:?} after {:?}", decided.state, watch.elapsed());
        let (customer, total, coordination) = (decided.customer_id, decided.total, Coordination::default());
        history.push(Operation {
            command: Command::Place { order: OrderId(order), customer, total, coordination },
            invoked: Duration::ZERO,
            answered: clock.elapsed(),
            answer: Answer::Accepted { version: 1, saga: accepted.saga_id.map(|saga| saga.0) },
            tries: 1,
        });
        tokio::time::sleep(STANDSTILL.saturating_sub(watch.elapsed())).await;
        fleet.instance(&zombie).go_on();
        tokio::time::sleep(FLOW).await;
        history.extend(load.stop().await.unwrap_or_else(|wrong| panic!("{wrong}")));
        println!("{zombie} stood still for {STANDSTILL:?} and went on; {} commands so far", history.len());
    }
    println!("{}", fleet.check(DEADLINE).unwrap_or_else(|wrong| panic!("{wrong}")).report);
    let facts = Databases::open(&fleet.database).await.facts().await;
    assert_eq!(judge(&facts, &history), Vec::<String>::new());
    let watch = Stopwatch::start();
    for socket in &sockets {
        while !socket.missing(facts.orders.keys().map(|order| order.0)).is_empty() {
            assert!(watch.elapsed() < DEADLINE, "{} has missed outcomes", socket.gateway.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(socket.learnt().wrong, Vec::<String>::new());
    }
    fleet.assert_no_panic();
}

/// The process of a role that owns the most of its relay, or of its consumer where it has no relay.
async fn owner(fleet: &Fleet, role: &str) -> String {
    let task = if role == "history" { "order-history" } else { "relay" };
    let watch = Stopwatch::start();
    loop {
        let mut most = (0.0, String::new());
        for instance in fleet.of(role) {
            let owned = sum(&metrics(&instance.address).await, &["tramline_leases_owned", &format!("task=\"{task}\"")]);
            if owned > most.0 {
                most = (owned, instance.name.clone());
            }
        }
        if most.0 > 0.0 {
            return most.1;
        }
        assert!(watch.elapsed() < DEADLINE, "nobody owns anything of {task} of {role}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
