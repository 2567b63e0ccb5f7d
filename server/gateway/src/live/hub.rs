//! The ring, shared: one writer, thousands of sockets that wait for it to change.

use crate::live::ring::{Greeting, Next, Place, Ring};
use crate::metrics::OpenSocket;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tramline_contract::live::ClientFrame;

/// What the sockets of one gateway share.
pub(crate) struct Hub {
    /// Never held across an await, and only for as long as it takes to copy some pointers.
    ring: RwLock<Ring>,
    /// Carries no value: that it changed is the news, and the ring has the rest.
    changed: watch::Sender<()>,
    seats: Arc<Semaphore>,
}

/// A socket's place in the house, given back when it is dropped.
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    _open: OpenSocket,
}

impl Hub {
    /// A hub that keeps so many frames, for so many sockets.
    pub(crate) fn new(kept_frames: usize, sockets: usize) -> Self {
        let ring = RwLock::new(Ring::new(kept_frames));
        Self { ring, changed: watch::Sender::new(()), seats: Arc::new(Semaphore::new(sockets)) }
    }

    /// A seat, unless all are taken.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        Some(Seat { _permit: permit, _open: OpenSocket::count() })
    }

    /// Whether the feed was reached and caught up with.
    pub(crate) fn is_open(&self) -> bool {
        self.ring().is_open()
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Changes the ring and wakes every socket.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Ring) -> T) -> T {
        let result = change(&mut self.ring_mut());
        self.changed.send_replace(());
        result
    }

    /// Answers a hello as soon as the ring is open.
    pub(crate) async fn greet(&self, hello: &ClientFrame) -> Greeting {
        let mut changes = self.changes();
        loop {
            // Subscribed before looking, so that no change falls between.
            if let Some(greeting) = self.ring().greet(hello) {
                return greeting;
            }
            changes.changed().await.expect("the hub holds the sender and outlives this borrow");
        }
    }

    /// What a socket at `place` is to be sent now.
    pub(crate) fn after(&self, place: &Place, most: usize) -> Next {
        self.ring().after(place, most)
    }

    // A panic while the lock was held left at worst a frame out, which the next poll of the feed does not repeat but the
    // `prev` of the frame after it shows; better than failing every socket for good.
    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}
