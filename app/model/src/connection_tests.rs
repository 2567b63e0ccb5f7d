//! The socket's life, event by event.

use super::*;
use proptest::prelude::*;

fn at(ms: Millis) -> Now {
    Now { ms, chance: 0.999_999 }
}

fn live() -> Connection {
    let mut connection = Connection::new(at(0));
    connection.open(at(0), &mut Vec::new());
    assert!(connection.opened(1, at(10)));
    connection.caught_up(at(20));
    assert!(connection.is_live());
    connection
}

fn wait_ms(connection: &Connection, now_ms: Millis) -> Millis {
    match connection.phase() {
        Phase::Reconnecting { retry_at_ms } => retry_at_ms - now_ms,
        other => panic!("not waiting: {other:?}"),
    }
}

#[test]
fn a_late_close_of_an_old_socket_changes_nothing() {
    let mut connection = live();
    connection.open(at(100), &mut Vec::new());
    assert!(connection.opened(2, at(110)));
    connection.caught_up(at(120));
    let mut effects = Vec::new();
    connection.closed(1, at(130), &mut effects);
    assert!(connection.is_live() && effects.is_empty());
    assert!(!connection.heard(1, at(140)), "its frames do not count either");
}

#[test]
fn silence_is_death() {
    let mut connection = live();
    assert!(connection.heard(1, at(15_000)));
    connection.tick(at(39_999), &mut Vec::new());
    assert!(connection.is_live());
    let mut effects = Vec::new();
    connection.tick(at(40_000), &mut effects);
    assert_eq!(effects, [Effect::CloseSocket(1)]);
    assert!(!connection.is_live());
}

#[test]
fn waits_double_up_to_fifteen_seconds_and_start_over_after_a_good_connection() {
    let mut connection = live();
    let (mut now_ms, mut waits) = (100, Vec::new());
    for _ in 0..8 {
        connection.closed(connection.socket().expect("one is open"), at(now_ms), &mut Vec::new());
        waits.push(wait_ms(&connection, now_ms));
        now_ms += 15_000;
        connection.tick(at(now_ms), &mut Vec::new());
    }
    assert_eq!(waits, [249, 499, 999, 1_999, 3_999, 7_999, 14_999, 14_999]);

    assert!(connection.opened(connection.socket().expect("one is open"), at(now_ms)));
    connection.caught_up(at(now_ms));
    now_ms += STABLE_AFTER_MS;
    connection.closed(connection.socket().expect("it is live"), at(now_ms), &mut Vec::new());
    assert_eq!(wait_ms(&connection, now_ms), 249);
}

#[test]
fn the_network_coming_back_ends_the_wait() {
    let mut connection = live();
    connection.went_offline(at(100), &mut Vec::new());
    assert!(connection.is_offline());
    assert_eq!(connection.next_wake(200), Some(2_100), "the banner is due");
    assert_eq!(connection.next_wake(2_100), None, "nothing else is tried without a network");
    let mut effects = Vec::new();
    connection.retry_now(at(5_000), &mut effects);
    assert_eq!(effects, [Effect::OpenSocket(2)]);
}

#[test]
fn a_banner_is_due_only_after_the_grace() {
    let mut connection = live();
    connection.closed(1, at(5_000), &mut Vec::new());
    assert!(!connection.is_down(6_999) && connection.is_down(7_000));
    assert!(!Connection::new(at(0)).is_down(1_999), "nor does it flash while the page loads");
}

#[test]
fn a_gap_is_asked_for_at_once_but_not_in_a_tight_circle() {
    let mut connection = live();
    let mut effects = Vec::new();
    connection.found_gap(at(100), &mut effects);
    assert_eq!(effects, [Effect::CloseSocket(1), Effect::OpenSocket(2)]);
    assert!(connection.opened(2, at(110)));
    connection.caught_up(at(120));
    connection.found_gap(at(200), &mut effects);
    assert_eq!(wait_ms(&connection, 200), 249);
}

proptest! {
    /// Whatever happens, at most one socket is open, and time alone brings a page with a network back to trying.
    #[test]
    fn it_never_holds_two_sockets_nor_gives_up(events in prop::collection::vec((0u8..8, 1u64..20_000), 0..80)) {
        let mut connection = Connection::new(at(0));
        let (mut now_ms, mut open) = (0, std::collections::BTreeSet::new());
        let mut effects = Vec::new();
        connection.open(at(0), &mut effects);
        for (event, passed_ms) in events {
            now_ms += passed_ms;
            let socket = connection.socket().unwrap_or(1);
            match event {
                0 => { let _ = connection.opened(socket, at(now_ms)); }
                1 => connection.caught_up(at(now_ms)),
                2 => connection.closed(socket, at(now_ms), &mut effects),
                3 => connection.closed(socket.saturating_sub(1), at(now_ms), &mut effects),
                4 => connection.found_gap(at(now_ms), &mut effects),
                5 => connection.went_offline(at(now_ms), &mut effects),
                6 => connection.retry_now(at(now_ms), &mut effects),
                _ => connection.tick(at(now_ms), &mut effects),
            }
            for effect in effects.drain(..) {
                match effect {
                    Effect::OpenSocket(number) => prop_assert!(open.insert(number)),
                    Effect::CloseSocket(number) => prop_assert!(open.remove(&number)),
                    other => prop_assert!(false, "unexpected {other:?}"),
                }
            }
            // The runner reports a socket that closed by itself; this test only counts those that we hold.
            prop_assert!(open.len() <= 1, "{open:?}");
            prop_assert_eq!(connection.socket(), open.first().copied());
            prop_assert!(connection.is_offline() || connection.next_wake(now_ms).is_some());
        }
    }
}
