//! Messages from outboxes to effects, over every broker and relay there is.

mod broker_conformance;
mod delivery;
mod log_tailing;
mod outage;
mod parking;
mod redis;
mod selective;
mod sharing;
mod support;
