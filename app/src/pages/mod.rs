//! The pages: each shows one view of the model and says what the user did there.

mod change;
mod customer;
mod customers;
mod new_customer;
mod new_order;
mod not_found;
mod order;
mod orders;
mod settings;

pub use change::ChangeDialog;
pub use customer::CustomerPage;
pub use customers::CustomersPage;
pub use new_customer::NewCustomerDialog;
pub use new_order::NewOrderDialog;
pub use not_found::{NotFoundPage, UnknownPage};
pub use order::OrderPage;
pub use orders::OrdersPage;
pub use settings::SettingsPage;
