//! The gateway as its clients meet it, over TCP, with stubs for the services behind it.

mod bad_input;
mod composition;
mod live;
mod pressure;
mod rest;
mod support;
