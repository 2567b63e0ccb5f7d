//! An event that could not be read is mended in the parking lot, and the view shows what it says.

use crate::{
    events::{approved, order_id, placed},
    stores::{Instance, TestStore, on_every_store, step, stream},
};
use std::sync::Arc;
use tramline_messaging::{By, Effects as _, MendError, ParkingLot, Record, Unhandled};
use tramline_order_history::{EventBodies, GROUP};
use uuid::Uuid;

on_every_store!(an_event_is_mended_in_its_place, whoever_retries_at_once_the_view_counts_an_order_once);

fn by() -> By {
    By { operator: "ada".to_owned(), reason: Some("a typing mistake".to_owned()) }
}

fn lot(store: &TestStore, desk: &Instance) -> ParkingLot {
    ParkingLot::new(store.messaging.clone()).group(GROUP, EventBodies, desk.history.projector())
}

/// Parks an event that does not read, and the next one of its order behind it.
async fn parked(desk: &Instance) -> (Uuid, String) {
    let (good, later) = (placed(1, 1, 10), approved(1, 1, 10));
    let poison = Record { seq: 1, id: Uuid::from_u128(1), payload: "{\"event\":7}".to_owned(), ..Record::clone(&good) };
    let behind = Record { seq: 2, id: Uuid::from_u128(2), ..Record::clone(&later) };
    let unhandled = |record| Unhandled { record: Arc::new(record), reason: "planted".to_owned(), attempts: 1 };
    let (id, body) = (poison.id, good.payload.clone());
    assert!(!desk.projector.park_behind(&step(0, 0, 1, 1), &unhandled(poison.clone())).await.expect("it answers"));
    desk.projector.park(&step(0, 0, 1, 1), &unhandled(poison)).await.expect("it is parked");
    assert!(desk.projector.park_behind(&step(0, 1, 2, 1), &unhandled(behind)).await.expect("it is parked"));
    let known = desk.projector.claim(&[(stream(0), 1)]).await.expect("it is reached");
    assert_eq!(known, [(stream(0), 2)], "the offset has moved past both");
    (id, body)
}

async fn an_event_is_mended_in_its_place(store: TestStore) {
    let desk = store.instance().await;
    let (id, body) = parked(&desk).await;
    let lot = lot(&store, &desk);
    assert!(lot.dry_run(GROUP, id, by()).await.expect("it was tried").is_err());
    let refused = lot.edit(GROUP, id, "{}".to_owned(), by()).await;
    assert!(matches!(refused, Err(MendError::Body(_))), "{refused:?}");
    lot.edit(GROUP, id, body, by()).await.expect("it reads");
    let rehearsed = lot.dry_run(GROUP, id, by()).await.expect("it was tried").expect("it would be handled");
    assert_eq!(rehearsed.remark.is_some(), desk.is_in_redis());
    assert!(desk.contents().await.1.is_empty(), "a rehearsal leaves nothing");
    let retried = lot.retry(GROUP, id, by()).await.expect("it was tried");
    assert_eq!((retried.handled, retried.failed, retried.left), (vec![id, Uuid::from_u128(2)], None, 0));
    let order = desk.json(&format!("/orders/{}?minVersion=2", order_id(1))).await;
    assert_eq!((&order["state"], &order["version"]), (&"APPROVED".into(), &2.into()));
    assert!(desk.projector.parked_keys().await.expect("it reads").is_empty());
    assert_eq!(desk.head().await.1, 2, "the feed tells of both");
}

async fn whoever_retries_at_once_the_view_counts_an_order_once(store: TestStore) {
    let desk = store.instance().await;
    let (id, body) = parked(&desk).await;
    lot(&store, &desk).edit(GROUP, id, body, by()).await.expect("it reads");
    let lots = [lot(&store, &desk), lot(&store, &desk), lot(&store, &desk)];
    let [first, second, third] = lots.each_ref().map(|lot| lot.retry(GROUP, id, by()));
    let mut handled = Vec::new();
    let (first, second, third) = tokio::join!(first, second, third);
    for retried in [first, second, third] {
        match retried {
            Ok(retried) => {
                assert_eq!(retried.failed, None);
                handled.extend(retried.handled);
            }
            Err(error) => assert!(matches!(error, MendError::NotParked | MendError::Changed), "{error:?}"),
        }
    }
    handled.sort();
    assert_eq!(handled, [id, Uuid::from_u128(2)], "each left the lot once");
    assert_eq!(desk.contents().await.1.len(), 1);
    assert_eq!(lots[0].audit(None, 100).await.expect("it reads").len(), 3);
}
