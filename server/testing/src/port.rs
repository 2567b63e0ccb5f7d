//! Ports for servers that are ended and started again on the same one.
//!
//! They lie below those that the system gives to outgoing connections: otherwise somebody who knocks while the server is away
//! may be given its port, or even meet himself there.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
    net::TcpListener,
};

/// Above what well-known servers use, below what Linux hands out (`net.ipv4.ip_local_port_range`).
const FIRST: u16 = 16_000;
const COUNT: u16 = 16_000;
/// Ports tried before it is given up.
const TRIES: u32 = 200;

/// A port of 127.0.0.1 that nobody listens on now.
///
/// # Panics
/// When none is found.
#[must_use]
pub fn free_port() -> u16 {
    let port = (0..TRIES).find_map(|_| {
        let random = RandomState::new().build_hasher().finish() % u64::from(COUNT);
        let port = FIRST + u16::try_from(random).unwrap_or_default();
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
    });
    port.expect("a free port")
}
