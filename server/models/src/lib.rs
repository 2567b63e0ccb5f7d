//! Models that are checked in every state that they can reach. Nothing of the product depends on them.
//!
//! [`relaying`], [`consuming`] and [`parking`] are the protocol of outbox, broker and offsets and that of the parking lot, written
//! down anew as small as they can be, with the flaws that they are proof against as switches. [`interleaving`] is not written anew: it runs the services' own saga
//! definitions, order and account in every order in which their steps can come. [`recovery`] proves what a search for bad states
//! cannot: that from wherever faults have led, the end can still be reached without another fault.

pub mod consuming;
pub mod interleaving;
pub mod parking;
pub mod recovery;
pub mod relaying;
pub mod saga;
