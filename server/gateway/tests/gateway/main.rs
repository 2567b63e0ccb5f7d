//! The gateway as its clients meet it, over TCP, with stubs for the services behind it.

mod bad_input;
mod live;
mod rest;
mod support;
