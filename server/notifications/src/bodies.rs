//! How the bodies of messages to this service read.

use crate::choreography::TOLD;
use tramline_messages::{notifications::NotifyCustomer, orders::OrderChanged};
use tramline_messaging::Bodies;

/// One for each command that [`crate::CommandHandler`] carries out.
#[must_use]
pub fn bodies() -> Bodies {
    Bodies::new().kind::<NotifyCustomer>(NotifyCustomer::KIND)
}

/// One for each event upon which [`crate::OrderEventHandler`] has a turn.
#[must_use]
pub fn turn_bodies() -> Bodies {
    TOLD.into_iter().fold(Bodies::new(), |bodies, kind| bodies.kind::<OrderChanged>(kind))
}
