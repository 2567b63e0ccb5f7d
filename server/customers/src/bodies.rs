//! How the bodies of messages to this service read.

use tramline_messages::{
    customers::{ChangeReservation, ReleaseCredit, ReserveCredit},
    orders::OrderChanged,
};
use tramline_messaging::Bodies;

/// One for each command that [`crate::CommandHandler`] carries out.
#[must_use]
pub fn bodies() -> Bodies {
    Bodies::new()
        .kind::<ReserveCredit>(ReserveCredit::KIND)
        .kind::<ReleaseCredit>(ReleaseCredit::KIND)
        .kind::<ChangeReservation>(ChangeReservation::KIND)
}

/// One for each event upon which [`crate::OrderEventHandler`] has a turn.
#[must_use]
pub fn turn_bodies() -> Bodies {
    ["OrderCreated", "OrderCancelBegun", "OrderRevisionBegun"]
        .into_iter()
        .fold(Bodies::new(), |bodies, kind| bodies.kind::<OrderChanged>(kind))
}
