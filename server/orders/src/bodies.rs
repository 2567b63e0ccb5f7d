//! How the bodies of messages to this service read.

use tramline_messages::customers::{
    CreditRefused, CreditReleased, CreditReserved, CustomerChanged, CustomerUnknown, ReservationChanged,
};
use tramline_messaging::Bodies;

/// One for each reply that a saga of this service may get.
#[must_use]
pub fn bodies() -> Bodies {
    Bodies::new()
        .kind::<CreditReserved>(CreditReserved::KIND)
        .kind::<CreditRefused>(CreditRefused::KIND)
        .kind::<CreditReleased>(CreditReleased::KIND)
        .kind::<ReservationChanged>(ReservationChanged::KIND)
}

/// One for each event upon which [`crate::CustomerEventHandler`] has a turn.
#[must_use]
pub fn turn_bodies() -> Bodies {
    ["CreditReserved", "CreditRefused", "CreditReleased", "ReservationChanged", "ReservationChangeRefused"]
        .into_iter()
        .fold(Bodies::new(), |bodies, kind| bodies.kind::<CustomerChanged>(kind))
        .kind::<CustomerUnknown>(CustomerUnknown::KIND)
}
