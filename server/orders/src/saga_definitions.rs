//! The definitions of this service's sagas with their data, for whoever checks them. They carry nothing out.

pub use crate::{
    cancel_order::{CancelOrderData, definition as cancel_order},
    create_order::{CreateOrderData, definition as create_order},
    revise_order::{ReviseOrderData, definition as revise_order},
};
