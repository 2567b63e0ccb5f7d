//! How the bodies of replies to this service's sagas read.

use tramline_messages::customers::{CreditRefused, CreditReleased, CreditReserved, ReservationChanged};
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
