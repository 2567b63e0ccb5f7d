//! Identifiers. Each kind is its own type, so that a customer's id cannot stand where an order's belongs.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A time-ordered UUID (version 7, RFC 9562) from a wall clock in milliseconds and ten random bytes.
///
/// Time and randomness are arguments: the browser, the server and the tests each have a source of their own.
#[must_use]
pub fn uuid_v7(unix_ms: u64, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(
            /// The UUID itself; a client may choose it.
            pub Uuid,
        );

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// Names a customer for ever; also the idempotency key of its creation.
    CustomerId
);
id!(
    /// Names an order for ever; also the idempotency key of placing it.
    OrderId
);
id!(
    /// Names a payment for ever; also the idempotency key of recording it.
    PaymentId
);
id!(
    /// Names one run of a saga.
    SagaId
);
