//! Offsets move with the effects or not at all, whoever else works on the view.

use crate::{
    events::{customer, order_id, placed, record},
    stores::{Instance, TestStore, on_every_store, step, stream},
};
use tramline_messaging::{Effects as _, HandlerError, Parked, Unhandled, invariants::Reading};
use tramline_order_history::{GROUP, read_offsets};

on_every_store!(
    offsets_move_with_the_effects_or_nothing_does,
    a_zombie_changes_nothing,
    two_instances_share_the_partitions,
    what_cannot_be_handled_is_parked_once,
);

const READING: Reading = Reading { reader: "history", group: GROUP, source: "orders", channel: "Order" };

async fn claimed(desk: &Instance, streams: &[(u16, i64)]) -> Vec<(u16, i64)> {
    let streams: Vec<_> = streams.iter().map(|(partition, epoch)| (stream(*partition), *epoch)).collect();
    let claimed = desk.projector.claim(&streams).await.expect("it is reached");
    claimed.into_iter().map(|(stream, offset)| (stream.partition, offset)).collect()
}

fn is_moved(result: &Result<(), HandlerError>) -> bool {
    matches!(result, Err(HandlerError::Moved))
}

async fn offsets_move_with_the_effects_or_nothing_does(store: TestStore) {
    let desk = store.instance().await;
    desk.apply(&[step(0, 0, 5, 1), step(1, 0, 2, 1)], &[customer(1, 1, "Ada")]).await.expect("it is applied");
    assert_eq!(claimed(&desk, &[(0, 1), (1, 1), (2, 1)]).await, [(0, 5), (1, 2), (2, 0)]);
    let before = (desk.contents().await, desk.head().await);
    for moves in [
        vec![step(0, 4, 6, 1)],
        vec![step(0, 6, 7, 1)],
        vec![step(0, 5, 6, 1), step(1, 1, 3, 1)],
        vec![step(0, 5, 6, 2)],
        vec![step(7, 0, 1, 1)],
    ] {
        let answer = desk.apply(&moves, &[customer(1, 2, "Eve"), placed(1, 1, 10)]).await;
        assert!(is_moved(&answer), "{moves:?}: {answer:?}");
    }
    // A body that does not read is nobody's change either.
    let unreadable = [placed(1, 1, 10), record("CustomerCreated", order_id(3).0, 1, &"no customer")];
    assert!(matches!(desk.apply(&[step(0, 5, 7, 1)], &unreadable).await, Err(HandlerError::Permanent(_))));
    assert_eq!((desk.contents().await, desk.head().await), before);
    assert_eq!(claimed(&desk, &[(0, 1), (1, 1), (2, 1)]).await, [(0, 5), (1, 2), (2, 0)]);
    let known = read_offsets(desk.history.store(), READING).await.expect("it reads");
    assert_eq!((known[&0], known[&1]), (5, 2));
}

async fn a_zombie_changes_nothing(store: TestStore) {
    let zombie = store.instance().await;
    zombie.tell(&[placed(1, 1, 10)]).await;
    let owner = Instance::of(store.history().await, 2).await;
    owner.tell(&[placed(2, 1, 10)]).await;
    for from in [1, 2] {
        assert!(is_moved(&zombie.apply(&[step(0, from, from + 1, 1)], &[placed(3, 1, 10)]).await));
    }
    // What it cannot handle is for its successor to judge.
    let unhandled = Unhandled { record: placed(3, 1, 10), reason: "it is late".to_owned(), attempts: 8 };
    assert!(is_moved(&zombie.projector.park(&step(0, 2, 3, 1), &unhandled).await));
    assert!(Parked::list(store.messaging.db()).await.expect("it reads").is_empty());
    assert_eq!(claimed(&zombie, &[(0, 1), (1, 1)]).await, []);
    assert_eq!(claimed(&owner, &[(0, 2), (1, 2)]).await, [(0, 2), (1, 0)]);
    assert_eq!(owner.contents().await.1.len(), 2);
}

async fn two_instances_share_the_partitions(store: TestStore) {
    let (first, second) = (store.instance().await, store.instance().await);
    let work = async |desk: &Instance, partition: u16| {
        for number in 0..50 {
            let id = u128::from(partition) * 1_000 + u128::try_from(number).expect("it is positive");
            desk.apply(&[step(partition, number, number + 1, 1)], &[placed(id, 1, 10)]).await.expect("it is applied");
        }
    };
    tokio::join!(work(&first, 0), work(&second, 1));
    assert!(is_moved(&second.apply(&[step(0, 49, 50, 1)], &[placed(5_000, 1, 10)]).await));
    first.apply(&[step(0, 50, 51, 1)], &[customer(1, 1, "Ada")]).await.expect("it is applied");
    let (customers, orders) = second.contents().await;
    assert_eq!((customers[0].order_count, orders.len()), (100, 100));
}

async fn what_cannot_be_handled_is_parked_once(store: TestStore) {
    let desk = store.instance().await;
    let unhandled = Unhandled { record: placed(3, 1, 10), reason: "no".to_owned(), attempts: 1 };
    desk.projector.park(&step(0, 0, 1, 1), &unhandled).await.expect("it is parked");
    assert!(matches!(desk.projector.park(&step(0, 0, 1, 1), &unhandled).await, Err(HandlerError::Moved)));
    let parked = Parked::list(store.messaging.db()).await.expect("it reads");
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].consumer_group.as_str(), parked[0].reason.as_str()), (GROUP, "no"));
    assert_eq!(desk.projector.parked_keys().await.expect("it reads"), [order_id(3).0]);
    assert_eq!(claimed(&desk, &[(0, 1)]).await, [(0, 1)]);
    assert!(desk.contents().await.1.is_empty());
}
