//! What is parked is mended: looked at, edited, rehearsed, tried again in order, or skipped, and the audit tells of all.

use crate::support::{DEPOT, GROUP, Life, PARCELS, Shop, arrivals, arrived, embedded, in_another_process, open, send};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tramline_messaging::{
    Bodies, By, Effects, HandlerError, Headers, MendError, Messaging, Move, Parked, ParkedKey, ParkingLot, Record,
    Sharing, StreamId, Transactional, Unhandled,
};
use uuid::Uuid;

const POISON: &str = "\"seven\"";

fn lot(shop: &Messaging, handler: Shop) -> ParkingLot {
    let replay = Transactional::new(GROUP, shop.clone(), Arc::new(handler));
    ParkingLot::new(shop.clone()).group(GROUP, Bodies::new().kind::<i64>("ParcelSent"), replay)
}

fn by(reason: &str) -> By {
    By { operator: "ada".to_owned(), reason: Some(reason.to_owned()) }
}

/// Sends a body as it stands.
async fn send_body(depot: &Messaging, sender: u128, kind: &'static str, body: &'static str) {
    let sent = depot.transact::<_, HandlerError, _>(None, move |work| {
        Box::pin(async move {
            let headers = Headers { kind: kind.to_owned(), ..Headers::default() };
            work.send(PARCELS, Uuid::from_u128(sender), headers, body.to_owned());
            Ok(())
        })
    });
    sent.await.expect("it is kept");
}

/// Waits until so many messages are parked.
async fn parked(shop: &Messaging, count: usize) {
    let wait = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while Parked::list(shop.db()).await.expect("it reads").len() != count {
            tick.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("they are parked in time");
}

async fn only_key(lot: &ParkingLot) -> ParkedKey {
    let mut keys = lot.keys(Some(GROUP), None, 10).await.expect("it reads");
    assert_eq!(keys.len(), 1);
    keys.pop().expect("one")
}

async fn deeds(lot: &ParkingLot) -> Vec<(String, String)> {
    let mut entries = lot.audit(None, 100).await.expect("it reads");
    assert!(entries.iter().all(|entry| entry.operator == "ada" && entry.reason.is_some()));
    entries.reverse();
    entries.into_iter().map(|entry| (entry.action, entry.outcome)).collect()
}

#[tokio::test]
async fn a_message_that_was_edited_is_handled_before_those_that_waited_behind_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open(DEPOT, folder.path()).await, open("shop", folder.path()).await);
    let broker = embedded(&depot).await;
    let life = Life::start(broker, &depot, &shop, Arc::default()).await;
    send(&depot, 1, 0..2).await;
    send_body(&depot, 1, "ParcelSent", POISON).await;
    send(&depot, 1, 3..6).await;
    send(&depot, 2, 0..3).await;
    arrived(&shop, 2 + 3).await;
    parked(&shop, 4).await;

    let lot = lot(&shop, Shop::default());
    let ParkedKey { first, waiting } = only_key(&lot).await;
    assert_eq!((first.record.payload.as_str(), waiting, first.attempts), (POISON, 4, 1));
    let id = first.record.id;
    let inspected = lot.inspect(GROUP, id, by("what is it?")).await.expect("it is parked");
    let line: Vec<_> = inspected.line.iter().map(|message| message.record.payload.as_str()).collect();
    assert_eq!(line, [POISON, "3", "4", "5"]);

    let refused = lot.dry_run(GROUP, id, by("as it is")).await.expect("it was tried");
    assert_eq!(refused, Err("not a number".to_owned()));
    let failed = lot.retry(GROUP, id, by("as it is")).await.expect("it was tried");
    assert_eq!((failed.handled, failed.failed, failed.left), (vec![], Some((id, "not a number".to_owned())), 4));
    assert_eq!(only_key(&lot).await.first.replays, 1);

    lot.edit(GROUP, id, "2".to_owned(), by("seven was meant as two")).await.expect("it reads");
    assert_eq!(lot.dry_run(GROUP, id, by("sure?")).await.expect("it was tried"), Ok(Default::default()));
    assert_eq!(arrivals(&shop, 1).await, [0, 1], "a rehearsal leaves nothing");
    let retried = lot.retry(GROUP, id, by("mended")).await.expect("it was tried");
    assert_eq!((retried.handled.len(), retried.failed, retried.left), (4, None, 0));
    assert_eq!(arrivals(&shop, 1).await, [0, 1, 2, 3, 4, 5]);

    // The consumer that parked the key learns that it may go on.
    send(&depot, 1, 6..9).await;
    arrived(&shop, 9 + 3).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..9).collect::<Vec<_>>());
    parked(&shop, 0).await;
    let expected = [
        ("inspect", "shown"),
        ("dry-run", "would fail: not a number"),
        ("retry", "failed: not a number"),
        ("edit", "changed"),
        ("dry-run", "would be handled and send 0 messages"),
        ("retry", "handled"),
        ("retry", "handled"),
        ("retry", "handled"),
        ("retry", "handled"),
    ];
    assert_eq!(deeds(&lot).await, expected.map(|(action, outcome)| (action.to_owned(), outcome.to_owned())));
    let edit = lot.audit(None, 100).await.expect("it reads").into_iter().find(|entry| entry.action == "edit");
    let edit = edit.expect("it is there");
    assert_eq!((edit.payload_before.as_deref(), edit.payload_after.as_deref()), (Some(POISON), Some("2")));
}

#[tokio::test]
async fn a_skipped_message_is_kept_in_the_audit_and_lets_go_of_its_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open(DEPOT, folder.path()).await, open("shop", folder.path()).await);
    let life = Life::start(embedded(&depot).await, &depot, &shop, Arc::default()).await;
    send_body(&depot, 1, "ParcelSent", POISON).await;
    parked(&shop, 1).await;
    let lot = lot(&shop, Shop::default());
    let id = only_key(&lot).await.first.record.id;
    assert_eq!(lot.skip(GROUP, id, by("nobody misses it")).await.expect("it is parked").left, 0);
    assert!(matches!(lot.skip(GROUP, id, by("again")).await, Err(MendError::NotParked)));
    send(&depot, 1, 0..3).await;
    arrived(&shop, 3).await;
    life.stop().await;
    let entry = lot.audit(None, 1).await.expect("it reads").pop().expect("one");
    assert_eq!((entry.action.as_str(), entry.payload_before.as_deref()), ("skip", Some(POISON)));
}

#[tokio::test]
async fn a_body_that_its_handler_could_not_read_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open(DEPOT, folder.path()).await, open("shop", folder.path()).await);
    let life = Life::start(embedded(&depot).await, &depot, &shop, Arc::default()).await;
    send_body(&depot, 1, "ParcelSent", POISON).await;
    send_body(&depot, 2, "Unheard", "\"of\"").await;
    parked(&shop, 2).await;
    life.stop().await;
    let lot = lot(&shop, Shop::default());
    let keys = lot.keys(None, None, 10).await.expect("it reads");
    for (key, body, word) in
        [(&keys[0], "\"eight\"", "does not read"), (&keys[0], "{", "does not read"), (&keys[1], "8", "not known")]
    {
        let refused = lot.edit(GROUP, key.first.record.id, body.to_owned(), by("guessing")).await;
        assert!(matches!(&refused, Err(MendError::Body(reason)) if reason.contains(word)), "{refused:?}");
    }
    let again = lot.keys(None, None, 10).await.expect("it reads");
    assert_eq!(again[0].first.record.payload, POISON);
    assert!(lot.audit(None, 10).await.expect("it reads").is_empty());
    let unknown = lot.edit("nobody", keys[0].first.record.id, "1".to_owned(), by("guessing")).await;
    assert!(matches!(unknown, Err(MendError::NotParked)), "{unknown:?}");
    // Page by page, in the order of the key; and counted by kind.
    let first = lot.keys(None, None, 1).await.expect("it reads");
    let place = (first[0].first.group.as_str(), first[0].first.record.key);
    let second = lot.keys(None, Some(place), 1).await.expect("it reads");
    assert_eq!(
        [first[0].first.record.id, second[0].first.record.id],
        [keys[0].first.record.id, keys[1].first.record.id]
    );
    let kinds = lot.kinds(10).await.expect("it reads");
    let kinds: Vec<_> = kinds.iter().map(|kind| (kind.kind.as_str(), kind.messages)).collect();
    assert_eq!(kinds, [("ParcelSent", 1), ("Unheard", 1)]);
}

#[tokio::test]
async fn a_failure_in_the_middle_leaves_the_rest_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open(DEPOT, folder.path()).await, open("shop", folder.path()).await);
    let life = Life::start(embedded(&depot).await, &depot, &shop, Arc::default()).await;
    send_body(&depot, 1, "ParcelSent", POISON).await;
    send(&depot, 1, 1..5).await;
    parked(&shop, 5).await;
    life.stop().await;
    let lot = lot(&shop, Shop { never: Some(3), ..Shop::default() });
    let id = only_key(&lot).await.first.record.id;
    lot.edit(GROUP, id, "0".to_owned(), by("mended")).await.expect("it reads");
    let retried = lot.retry(GROUP, id, by("mended")).await.expect("it was tried");
    assert_eq!((retried.handled.len(), retried.left), (3, 2));
    assert_eq!(retried.failed.map(|(_, reason)| reason), Some("planted".to_owned()));
    assert_eq!(arrivals(&shop, 1).await, [0, 1, 2]);
    let ParkedKey { first, waiting } = only_key(&lot).await;
    assert_eq!((first.record.payload.as_str(), first.reason.as_str(), waiting), ("3", "planted", 2));
}

/// Retries in several processes and two consumers that share the partitions, all at once.
#[tokio::test]
async fn whoever_retries_at_once_and_whatever_comes_meanwhile_each_message_counts_once_and_in_order() {
    const SENDERS: u128 = 6;
    const NUMBERS: i64 = 60;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open(DEPOT, folder.path()).await, open("shop", folder.path()).await);
    let broker = embedded(&depot).await;
    let mut lives = Vec::new();
    for number in 1..=2 {
        let (own_depot, own_shop) = (in_another_process(&depot).await, in_another_process(&shop).await);
        let me = Sharing::Among(Uuid::from_u128(number));
        lives.push(Life::among(&me, Arc::clone(&broker), &own_depot, &own_shop, Arc::default()).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut menders = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (lot, done) = (lot(&in_another_process(&shop).await, Shop::default()), Arc::clone(&done));
        menders.spawn(async move {
            while !done.load(Ordering::SeqCst) {
                for key in lot.keys(None, None, 10).await.expect("it reads") {
                    let id = key.first.record.id;
                    if key.first.record.payload.starts_with('"') {
                        // What it was meant to be, stands in it.
                        let meant = key.first.record.payload.trim_matches('"').to_owned();
                        let edited = lot.edit(GROUP, id, meant, by("mended")).await;
                        assert!(matches!(edited, Ok(_) | Err(MendError::NotParked)), "{edited:?}");
                    }
                    let retried = lot.retry(GROUP, id, by("mended")).await;
                    assert!(matches!(retried, Ok(_) | Err(MendError::NotParked | MendError::Changed)), "{retried:?}");
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for number in 0..NUMBERS {
        for sender in 1..=SENDERS {
            if number % 10 == 5 {
                let body: &'static str = Box::leak(format!("\"{number}\"").into_boxed_str());
                send_body(&depot, sender, "ParcelSent", body).await;
            } else {
                send(&depot, sender, number..number + 1).await;
            }
        }
    }
    let all = i64::try_from(SENDERS).expect("a few") * NUMBERS;
    arrived(&shop, all).await;
    done.store(true, Ordering::SeqCst);
    while let Some(mender) = menders.join_next().await {
        mender.expect("it does not fail");
    }
    for life in lives {
        life.stop().await;
    }
    for sender in 1..=SENDERS {
        assert_eq!(arrivals(&shop, sender).await, (0..NUMBERS).collect::<Vec<_>>());
    }
    parked(&shop, 0).await;
}

#[tokio::test]
async fn nothing_is_parked_behind_a_key_that_was_let_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shop = open("shop", folder.path()).await;
    let effects = Transactional::new(GROUP, shop.clone(), Arc::new(Shop::default()));
    let stream = StreamId { source: DEPOT, channel: PARCELS.into(), partition: 0 };
    effects.claim(&[(stream.clone(), 1)]).await.expect("it is free");
    let message = |seq: i64| {
        let record = Record {
            seq,
            id: Uuid::from_u128(seq.unsigned_abs().into()),
            key: Uuid::from_u128(7),
            headers: Headers::default(),
            payload: seq.to_string(),
            recorded_at: shop.db().now(),
        };
        Unhandled { record: Arc::new(record), reason: "planted".to_owned(), attempts: 1 }
    };
    let step = |seq| Move { stream: stream.clone(), from: seq - 1, to: seq, epoch: 1 };
    assert!(!effects.park_behind(&step(1), &message(1)).await.expect("it answers"), "nothing waits");
    effects.park(&step(1), &message(1)).await.expect("it is kept");
    assert!(effects.park_behind(&step(2), &message(2)).await.expect("it answers"));
    assert!(matches!(effects.park_behind(&step(2), &message(2)).await, Err(HandlerError::Moved)), "a zombie's word");
    let retried = lot(&shop, Shop::default()).retry(GROUP, Uuid::from_u128(2), by("all of the key")).await;
    assert_eq!(retried.expect("it was tried").handled, [1, 2].map(Uuid::from_u128));
    assert!(!effects.park_behind(&step(3), &message(3)).await.expect("it answers"), "nothing waits any more");
    assert_eq!(arrivals(&shop, 7).await, [1, 2]);
}
