//! What services say to each other: channels, commands, replies and events.
//!
//! The only place where two services meet. An event carries what happened and the whole state that it made
//! (*Event-Carried State Transfer*, Fowler 2017), so whoever hears a newer version needs no older one. Bodies are only ever added
//! to: an old message must read for ever. It must not know how any service stores or decides.

pub mod customers;
pub mod export;
pub mod feed;
pub mod mending;
pub mod notifications;
pub mod orders;
pub mod parts;
pub mod protocols;

/// The services, as publishers of streams.
pub mod services {
    /// Credit accounts.
    pub const CUSTOMERS: &str = "customers";
    /// Orders and their sagas.
    pub const ORDERS: &str = "orders";
    /// The CQRS view.
    pub const HISTORY: &str = "history";
    /// The search view, a part of the history service with a database of its own.
    pub const SEARCH: &str = "search";
    /// E-mails to customers.
    pub const NOTIFICATIONS: &str = "notifications";
}

/// Where messages go. Event channels are named after their aggregate.
pub mod channels {
    use tramline_messaging::Channel;

    /// Commands to the customers service.
    pub const CUSTOMER_COMMANDS: Channel = "customers.commands";
    /// Replies to the sagas of the orders service.
    pub const ORDER_REPLIES: Channel = "orders.replies";
    /// Commands to the notifications service, which answers none.
    pub const NOTIFICATION_COMMANDS: Channel = "notifications.commands";
    /// What happens to customers.
    pub const CUSTOMER_EVENTS: Channel = "Customer";
    /// What happens to orders.
    pub const ORDER_EVENTS: Channel = "Order";
}
