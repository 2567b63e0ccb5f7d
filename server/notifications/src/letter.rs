//! What a customer is written. Pure: the same command makes the same words, so a mail that is sent again is the same mail.

use crate::recipients::MailAddresses;
use lettre::{
    Address, Message,
    message::{
        Mailbox,
        header::{HeaderName, HeaderValue},
    },
};
use std::time::{Duration, UNIX_EPOCH};
use tramline_contract::{MailAbout, MailId, RejectionReason};
use tramline_db::UtcMicros;
use tramline_messages::notifications::NotifyCustomer;

/// A mail as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) id: MailId,
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// Headers and text, with the line ends of the network.
    pub(crate) bytes: Vec<u8>,
}

/// The subject.
pub(crate) fn subject(told: &NotifyCustomer) -> String {
    let order = told.order_id;
    match told.about {
        MailAbout::Approved => format!("Your order {order} is approved"),
        MailAbout::Rejected => format!("Your order {order} could not be accepted"),
        MailAbout::Cancelled => format!("Your order {order} is cancelled"),
        MailAbout::Revised => format!("Your order {order} has a new total"),
        MailAbout::RevisionRefused => format!("Your order {order} keeps its total"),
    }
}

/// The text, in lines short enough to go out as they are.
fn text(told: &NotifyCustomer) -> String {
    let total = told.total;
    let why = match told.reason {
        Some(RejectionReason::InsufficientCredit) => "your credit with us did not allow it",
        Some(RejectionReason::UnknownCustomer) => "we could not find your account",
        None => "it could not be done",
    };
    let sentence = match told.about {
        MailAbout::Approved => format!("Your order over {total} is approved."),
        MailAbout::Rejected => format!("Your order over {total} could not be accepted:\n{why}."),
        MailAbout::Cancelled => {
            format!("Your order over {total} is cancelled.\nIts total no longer counts against your credit.")
        }
        MailAbout::Revised => format!("Your order is changed as you asked.\nIts total is {total} now."),
        MailAbout::RevisionRefused => format!("Your order could not be changed:\n{why}.\nIts total stays {total}."),
    };
    format!("Good day,\n\n{sentence}\n\nOrder: {}\n", told.order_id)
}

/// Writes a mail. Its date is when the service was told, and its `Message-ID` its name, so any program that sees it twice can tell.
pub(crate) fn write(
    told: &NotifyCustomer,
    created_at: UtcMicros,
    addresses: &MailAddresses,
) -> Result<Letter, lettre::error::Error> {
    let id = MailId { order_id: told.order_id, order_version: told.order_version };
    let (from, to) = (addresses.from().clone(), addresses.of(told.customer_id));
    let date = UNIX_EPOCH + Duration::from_micros(created_at.0.unsigned_abs());
    let message = Message::builder()
        .from(Mailbox::new(None, from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(subject(told))
        .date(date)
        .message_id(Some(format!("<{id}@{}>", from.domain())))
        // Whoever answers automatically must not answer this (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .body(text(told))?;
    Ok(Letter { id, from, to, bytes: message.formatted() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tramline_contract::{CustomerId, Money, OrderId, Version};
    use uuid::Uuid;

    fn told(about: MailAbout, reason: Option<RejectionReason>) -> NotifyCustomer {
        NotifyCustomer {
            order_id: OrderId(Uuid::from_u128(1)),
            order_version: Version(2),
            customer_id: CustomerId(Uuid::from_u128(2)),
            about,
            total: Money::from_minor(12_50),
            reason,
        }
    }

    fn written(told: &NotifyCustomer) -> String {
        let addresses = MailAddresses::default();
        let letter = write(told, UtcMicros(1_764_000_000_000_001), &addresses).expect("it is written");
        String::from_utf8(letter.bytes).expect("it is text")
    }

    #[test]
    fn a_mail_is_named_by_the_version_that_it_tells_of_and_is_the_same_each_time() {
        let approved = told(MailAbout::Approved, None);
        let mail = written(&approved);
        assert_eq!(mail, written(&approved));
        for line in [
            "Message-ID: <00000000-0000-0000-0000-000000000001.2@example.invalid>\r\n",
            "To: customer-00000000-0000-0000-0000-000000000002@example.invalid\r\n",
            "Date: Mon, 24 Nov 2025 16:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Your order over 12.50 is approved.\r\n",
        ] {
            assert!(mail.contains(line), "{line} is not in {mail}");
        }
    }

    #[test]
    fn every_mail_says_what_happened_and_a_refusal_says_why() {
        for about in MailAbout::ALL {
            assert!(written(&told(about, None)).contains("12.50"), "{about:?}");
        }
        let refused = written(&told(MailAbout::RevisionRefused, Some(RejectionReason::InsufficientCredit)));
        assert!(refused.contains("credit"), "{refused}");
        let rejected = written(&told(MailAbout::Rejected, Some(RejectionReason::UnknownCustomer)));
        assert!(rejected.contains("could not find your account"), "{rejected}");
    }
}
