//! How the bodies of commands to this service read.

use tramline_messages::customers::{ChangeReservation, ReleaseCredit, ReserveCredit};
use tramline_messaging::Bodies;

/// One for each command that [`crate::CommandHandler`] carries out.
#[must_use]
pub fn bodies() -> Bodies {
    Bodies::new()
        .kind::<ReserveCredit>(ReserveCredit::KIND)
        .kind::<ReleaseCredit>(ReleaseCredit::KIND)
        .kind::<ChangeReservation>(ChangeReservation::KIND)
}
