//! A SQL text with its values, not yet bound to an engine.

use crate::UtcMicros;
use uuid::Uuid;

/// A value for a placeholder. `None` is SQL's null of that type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A `bigint`: numbers, money in minor units, moments in microseconds.
    Int(Option<i64>),
    /// A `text`.
    Text(Option<String>),
    /// A UUID: 16 bytes in SQLite.
    Uuid(Option<Uuid>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let convert: fn($type) -> _ = $convert;
                Self::$variant(Some(convert(value)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                let convert: fn($type) -> _ = $convert;
                Self::$variant(value.map(convert))
            }
        }
    )*};
}

value_from! {
    i64 => Int, |value| value;
    UtcMicros => Int, |value| value.0;
    bool => Int, i64::from;
    String => Text, |value| value;
    &str => Text, str::to_owned;
    Uuid => Uuid, |value| value;
}

/// A statement: constant SQL with `$1`, `$2` … and the values for them.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(crate) text: &'static str,
    pub(crate) values: Vec<Value>,
}

/// A statement without values yet. The text is constant, so no input can become SQL.
#[must_use]
pub const fn sql(text: &'static str) -> Statement {
    Statement { text, values: Vec::new() }
}

impl Statement {
    /// Gives the next placeholder its value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}
