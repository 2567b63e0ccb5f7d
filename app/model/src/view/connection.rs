//! The connection's dot in the header, and the banner when it is lost for longer than a moment.

use crate::{connection::Phase, model::Model, time::SECOND_MS};

/// What the dot looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// Everything arrives.
    Live,
    /// On the way there.
    Busy,
    /// Lost.
    Down,
}

impl Dot {
    /// The name in the style sheet.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Busy => "busy",
            Self::Down => "down",
        }
    }
}

/// The banner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// What is wrong and what that means.
    pub text: String,
    /// When the next attempt starts, in words.
    pub countdown: Option<String>,
    /// Whether trying at once is offered.
    pub can_retry: bool,
}

/// The connection as the header shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// What the dot looks like.
    pub dot: Dot,
    /// What is beside the dot.
    pub label: &'static str,
    /// What is below the header.
    pub banner: Option<Banner>,
}

impl Model {
    /// The connection as the header shows it.
    #[must_use]
    pub fn connection_view(&self) -> ConnectionView {
        let connection = &self.connection;
        let (dot, label) = match connection.phase() {
            Phase::Live { .. } => (Dot::Live, "Live"),
            Phase::CatchingUp { .. } => (Dot::Busy, "Catching up"),
            Phase::Connecting { .. } if connection.was_live() || connection.is_down(self.now_ms) => {
                (Dot::Busy, "Reconnecting")
            }
            Phase::Connecting { .. } => (Dot::Busy, "Connecting"),
            Phase::Reconnecting { .. } => (Dot::Down, "Reconnecting"),
            Phase::Offline => (Dot::Down, "Offline"),
        };
        ConnectionView { dot, label, banner: connection.is_down(self.now_ms).then(|| self.banner()) }
    }

    fn banner(&self) -> Banner {
        match self.connection.phase() {
            Phase::Offline => Banner {
                text: "You're offline. Your draft is saved on this device.".to_owned(),
                countdown: None,
                can_retry: false,
            },
            Phase::Reconnecting { retry_at_ms } => {
                let seconds = retry_at_ms.saturating_sub(self.now_ms).div_ceil(SECOND_MS).max(1);
                Banner {
                    text: "Live updates are interrupted. We check for outcomes meanwhile.".to_owned(),
                    countdown: Some(format!("Trying again in {seconds} s.")),
                    can_retry: true,
                }
            }
            Phase::Connecting { .. } | Phase::CatchingUp { .. } | Phase::Live { .. } => Banner {
                text: "Live updates are interrupted. We check for outcomes meanwhile.".to_owned(),
                countdown: Some("Trying now…".to_owned()),
                can_retry: false,
            },
        }
    }
}
