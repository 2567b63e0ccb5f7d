//! E-mails to customers as an operator sees them.

use crate::{CustomerId, OrderId, Timestamp, Version};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Names a mail for ever: the version of the order that it tells of. Each version is told of once at most.
///
/// As text `ORDER.VERSION`, which is also the local part of the mail's `Message-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId {
    /// The order.
    pub order_id: OrderId,
    /// What became of it.
    pub order_version: Version,
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.order_id, self.order_version.0)
    }
}

/// The text names no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMailId;

impl fmt::Display for NoMailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a mail is an order's id, a dot and a version")
    }
}

impl std::error::Error for NoMailId {}

impl FromStr for MailId {
    type Err = NoMailId;

    fn from_str(text: &str) -> Result<Self, NoMailId> {
        let (order, version) = text.split_once('.').ok_or(NoMailId)?;
        let version = version.parse().ok().filter(|version| *version > 0).ok_or(NoMailId)?;
        Ok(Self { order_id: order.parse().map_err(|_| NoMailId)?, order_version: Version(version) })
    }
}

impl Serialize for MailId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MailId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a mail tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MailAbout {
    /// The order is approved.
    Approved,
    /// The order is rejected, and why.
    Rejected,
    /// The order is cancelled.
    Cancelled,
    /// The order has a new total.
    Revised,
    /// The order keeps its total, and why.
    RevisionRefused,
}

impl MailAbout {
    /// Everything that a mail may tell.
    pub const ALL: [Self; 5] = [Self::Approved, Self::Rejected, Self::Cancelled, Self::Revised, Self::RevisionRefused];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Cancelled => "CANCELLED",
            Self::Revised => "REVISED",
            Self::RevisionRefused => "REVISION_REFUSED",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|about| about.as_str() == text)
    }
}

/// How far a mail has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MailState {
    /// To be sent, now or at `dueAt`.
    Waiting,
    /// In a sender's hands.
    Sending,
    /// The mail server took it.
    Sent,
    /// Given up; an operator may have it tried again.
    Failed,
}

impl MailState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sending, Self::Sent, Self::Failed];

    /// The state's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Sending => "SENDING",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A mail and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mail {
    /// Names the mail: the order's id, a dot and the version that it tells of.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: MailId,
    /// The order.
    pub order_id: OrderId,
    /// The version of the order that it tells of.
    pub order_version: Version,
    /// To whom.
    pub customer_id: CustomerId,
    /// What it tells.
    pub about: MailAbout,
    /// The address, as the service makes it now.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// How far it has come.
    pub state: MailState,
    /// How often it was taken in hand.
    pub attempts: i64,
    /// Whether a try ended without anybody knowing how, so that the customer may have it twice, under one `Message-ID`.
    pub duplicate_possible: bool,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the service was told to send it.
    pub created_at: Timestamp,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When the mail server took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_names_on_the_wire_are_those_of_the_types() {
        for state in MailState::ALL {
            assert_eq!(serde_json::to_value(state).expect("it is JSON"), json!(state.as_str()));
            assert_eq!(MailState::parse(state.as_str()), Some(state));
        }
        for about in MailAbout::ALL {
            assert_eq!(serde_json::to_value(about).expect("it is JSON"), json!(about.as_str()));
            assert_eq!(MailAbout::parse(about.as_str()), Some(about));
        }
    }

    #[test]
    fn the_id_of_a_mail_reads_as_it_is_written_and_nothing_else_does() {
        let id = MailId { order_id: OrderId(uuid::Uuid::from_u128(7)), order_version: Version(2) };
        assert_eq!(id.to_string(), "00000000-0000-0000-0000-000000000007.2");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", ".", "7.2", "00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007.0"] {
            assert_eq!(text.parse::<MailId>(), Err(NoMailId), "{text}");
        }
    }
}
