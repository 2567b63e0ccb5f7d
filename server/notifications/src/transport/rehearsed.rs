//! A mail server that somebody plays, for simulations: nothing is sent, and who plays it says how each try ends.

use crate::{delivery::Outcome, letter::Letter};
use std::{fmt, sync::Arc};
use tramline_contract::MailId;

/// How a try ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is taken.
    Taken,
    /// It was handed over, and no answer came.
    Unanswered,
    /// This one is put off.
    PutOff,
    /// Nobody is there.
    Away,
}

/// A played mail server. Cheap to clone.
#[derive(Clone)]
pub struct Rehearsed(Arc<dyn Fn(MailId) -> Reception + Send + Sync>);

impl Rehearsed {
    /// `receive` is asked at each try.
    pub fn new(receive: impl Fn(MailId) -> Reception + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    pub(crate) fn deliver(&self, letters: &[Letter]) -> Vec<(MailId, Outcome)> {
        let received = letters.iter().map(|letter| {
            let outcome = match (self.0)(letter.id) {
                Reception::Taken => Outcome::Delivered,
                Reception::Unanswered => Outcome::Unknown("no answer came".to_owned()),
                Reception::PutOff => Outcome::PutOff("450 come back later".to_owned()),
                Reception::Away => Outcome::NotTried("nobody is there".to_owned()),
            };
            (letter.id, outcome)
        });
        received.collect()
    }
}

impl fmt::Debug for Rehearsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rehearsed").finish_non_exhaustive()
    }
}
