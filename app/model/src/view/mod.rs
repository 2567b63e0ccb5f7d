//! What the pages show, as plain data: each view is a function of the model, cheap enough to ask for after every message.

mod change;
mod connection;
mod customer;
mod form;
mod list;
mod order;
mod status;

pub use change::{ChangeView, NotSentCard};
pub use connection::{Banner, ConnectionView, Dot};
pub use customer::{CustomerPage, CustomerRow};
pub use form::CustomerOption;
pub use list::{ListState, ListView};
pub use order::{OrderPage, OrderRow, StaleBadge, Step, StepState};
pub use status::{Status, StatusKind};

use crate::command::Failure;

/// A page about one thing.
#[derive(Clone, Debug, PartialEq)]
pub enum PageView<T> {
    /// It is being read for the first time.
    Loading,
    /// It does not exist.
    Missing,
    /// It could not be read.
    Failed(Trouble),
    /// Here it is, perhaps with a trouble that kept it from being read again.
    Ready(T, Option<Trouble>),
}

/// What went wrong with a read, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened.
    pub title: String,
    /// What that means, and what happens next.
    pub detail: String,
    /// A reference for whoever is asked for help.
    pub code: String,
}

impl Trouble {
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::NoAnswer => Self {
                title: "The server isn't answering".to_owned(),
                detail: "What you see may be older. We keep trying.".to_owned(),
                code: "no-answer".to_owned(),
            },
            Failure::Problem(problem) => {
                Self { title: problem.title.clone(), detail: problem.detail.clone(), code: problem.code.clone() }
            }
        }
    }
}
