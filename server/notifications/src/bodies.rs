//! How the bodies of commands to this service read.

use tramline_messages::notifications::NotifyCustomer;
use tramline_messaging::Bodies;

/// One for each command that [`crate::CommandHandler`] carries out.
#[must_use]
pub fn bodies() -> Bodies {
    Bodies::new().kind::<NotifyCustomer>(NotifyCustomer::KIND)
}
