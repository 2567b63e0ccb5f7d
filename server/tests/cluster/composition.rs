//! With a service gone, the rest of the desk goes on: what is composed says what is missing, and orders wait for their outcome.

use crate::{
    fleet::{Fleet, RelayKind},
    gateway::new_id,
    turn,
};
use std::time::Duration;
use tramline_contract::{CustomerOrders, OrderState};
use tramline_testing::Stopwatch;

/// The gateway's own deadline for the owners of parts is two seconds.
const ANSWER_MAX: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_the_customers_service_a_composition_says_so_and_orders_are_accepted_and_wait() {
    let _turn = turn().await;
    let Some(mut fleet) = Fleet::start(RelayKind::Polling).await else { return };
    let gateways = fleet.gateways();
    let customer = new_id();
    gateways[0].customer(customer, "10.00").await;
    let first = new_id();
    gateways[0].insist(first, customer, "4.00").await;
    gateways[1].settled(first).await;
    let path = format!("/api/customers/{customer}/orders?source=composition");
    let whole: CustomerOrders = gateways[1].get(&path).await.expect("an answer").json().expect("a composition");
    assert!(whole.complete && whole.customer.is_some() && whole.orders.len() == 1, "{whole:?}");

    let killed: Vec<_> = fleet.of("customers").map(|instance| instance.name.clone()).collect();
    killed.iter().for_each(|name| fleet.instance(name).kill());
    // Some calls, so that the breakers open on the way.
    for turn in 0..8 {
        let watch = Stopwatch::start();
        let answer = gateways[turn % 2].get(&path).await.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        let part: CustomerOrders = answer.json().expect("a composition");
        assert!(watch.elapsed() < ANSWER_MAX, "a part took {:?}", watch.elapsed());
        assert_eq!((part.complete, part.missing.as_slice()), (false, ["customers".to_owned()].as_slice()));
        assert_eq!((part.customer, part.orders.len()), (None, 1));
    }
    let waiting: Vec<_> = (0..4).map(|_| new_id()).collect();
    for (turn, order) in waiting.iter().enumerate() {
        let accepted = gateways[turn % 2].insist(*order, customer, "4.00").await;
        assert_eq!(accepted.state, OrderState::Pending);
    }
    killed.iter().for_each(|name| fleet.instance(name).start());
    fleet.until_ready().await;
    let mut states = Vec::new();
    for order in &waiting {
        states.push(gateways[0].settled(*order).await.state);
    }
    // Of ten, four were held: one more order of four fits, the one that was accepted first.
    use OrderState::{Approved, Rejected};
    assert_eq!(states, [Approved, Rejected, Rejected, Rejected]);
    fleet.check(Duration::from_secs(30)).unwrap_or_else(|wrong| panic!("{wrong}"));
    fleet.assert_no_panic();
}
