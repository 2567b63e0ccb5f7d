//! Two of each role: both work, and when one dies the other goes on at once.

use crate::{
    fleet::{Fleet, RelayKind},
    gateway::{Gateway, metrics, new_id, sum},
    socket::Socket,
    turn,
};
use std::time::Duration;
use tramline_testing::Stopwatch;
use uuid::Uuid;

/// From the death of an instance to the outcome of an order placed afterwards: a lease, a round, and some air.
const OUTCOME_MAX: Duration = Duration::from_secs(5);
/// Orders per look.
const ORDERS: usize = 40;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(30);
/// The tasks that processes of a role share, by the leases' names.
const TASKS: [(&str, &[&str]); 3] =
    [("customers", &["customers", "relay"]), ("orders", &["orders", "relay"]), ("history", &["order-history"])];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn either_instance_of_each_role_works_and_goes_on_alone_when_the_other_dies() {
    let _turn = turn().await;
    let Some(mut fleet) = Fleet::start(RelayKind::Polling).await else { return };
    let gateways = fleet.gateways();
    let sockets: Vec<_> = gateways.iter().cloned().map(Socket::open).collect();
    let customers = customers(&gateways).await;
    until_shared(&fleet).await;

    place_and_hear(&gateways, &sockets, &customers).await;
    for (role, group) in [("customers", "customers"), ("orders", "orders"), ("history", "order-history")] {
        for instance in fleet.of(role) {
            let handled = sum(&metrics(&instance.address).await, &["tramline_messages_handled_total", group]);
            assert!(handled > 0.0, "{} has handled nothing", instance.name);
        }
    }

    for role in ["customers", "orders", "history", "gateway"] {
        let names: Vec<_> = fleet.of(role).map(|instance| instance.name.clone()).collect();
        let [victim, _] = names.as_slice() else { panic!("not two processes of {role}: {names:?}") };
        let survivors: Vec<usize> = (0..gateways.len()).filter(|place| gateways[*place].name != *victim).collect();
        fleet.instance(victim).kill();
        let watch = Stopwatch::start();
        let survivor = survivors[0];
        place_and_hear(&gateways[survivor..=survivor], &sockets[survivor..=survivor], &customers).await;
        println!(
            "{victim} died: {ORDERS} orders placed afterwards are decided after {} ms",
            watch.elapsed().as_millis()
        );
        assert!(watch.elapsed() < OUTCOME_MAX, "{victim} died and the outcomes took {:?}", watch.elapsed());
        fleet.instance(victim).start();
        fleet.until_ready().await;
        until_shared(&fleet).await;
    }
    place_and_hear(&gateways, &sockets, &customers).await;
    println!("{}", fleet.check(DEADLINE).unwrap_or_else(|wrong| panic!("{wrong}")).report);
    for socket in &sockets {
        assert_eq!(socket.learnt().wrong, Vec::<String>::new());
    }
    fleet.assert_no_panic();
}

/// One for each key of a large desk, so that every partition has some.
async fn customers(gateways: &[Gateway]) -> Vec<Uuid> {
    let mut customers = Vec::new();
    for place in 0..ORDERS {
        let id = new_id();
        gateways[place % gateways.len()].customer(id, "100000.00").await;
        customers.push(id);
    }
    customers
}

/// Places an order for every customer, and waits until every one of these sockets has told every outcome.
async fn place_and_hear(gateways: &[Gateway], sockets: &[Socket], customers: &[Uuid]) {
    let orders: Vec<Uuid> = customers.iter().map(|_| new_id()).collect();
    orders.iter().for_each(|order| sockets.iter().for_each(|socket| socket.awaits(*order)));
    let placing = orders.iter().zip(customers).enumerate().map(|(place, (order, customer))| {
        let gateway = &gateways[place % gateways.len()];
        gateway.insist(*order, *customer, "1.00")
    });
    futures_util::future::join_all(placing).await;
    let watch = Stopwatch::start();
    for socket in sockets {
        while let missing = socket.missing(orders.iter().copied())
            && !missing.is_empty()
        {
            assert!(watch.elapsed() < DEADLINE, "{} has not told {missing:?}", socket.gateway.name);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Waits until every process of a role owns a share of each of its tasks.
async fn until_shared(fleet: &Fleet) {
    let watch = Stopwatch::start();
    for (role, tasks) in TASKS {
        for instance in fleet.of(role) {
            for task in tasks {
                let label = format!("task=\"{task}\"");
                while sum(&metrics(&instance.address).await, &["tramline_leases_owned", &label]) == 0.0 {
                    assert!(watch.elapsed() < DEADLINE, "{} owns nothing of {task}", instance.name);
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }
}
