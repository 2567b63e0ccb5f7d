//! HTTP and the socket. They carry words to and fro and know nothing of orders.

pub mod http;
pub mod socket;
