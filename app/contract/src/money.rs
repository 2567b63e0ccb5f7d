//! Money: an exact amount of the installation's one currency.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// An amount in minor units (hundredths). On the wire it is a string with exactly two decimals, `"1234.50"`.
///
/// Parsed input is never negative and never above [`Money::MAX`]; a computed amount, such as the credit that is left
/// after a limit was lowered, may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    minor: i64,
}

/// Why a text or number is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Not digits with an optional point and decimals.
    NotANumber,
    /// Below zero.
    Negative,
    /// More than two digits after the point.
    TooManyDecimals,
    /// Above [`Money::MAX`].
    TooLarge,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "must be an amount such as \"1234.50\"",
            Self::Negative => "must not be negative",
            Self::TooManyDecimals => "must have at most two decimals",
            Self::TooLarge => "must be at most 9999999999.99",
        })
    }
}

impl std::error::Error for MoneyError {}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self { minor: 0 };
    /// The largest amount that is accepted: 9,999,999,999.99.
    pub const MAX: Self = Self { minor: 999_999_999_999 };

    /// An amount of so many hundredths.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self { minor }
    }

    /// The amount in hundredths.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The sum, or `None` when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.minor.checked_add(other.minor).map(Self::from_minor)
    }

    /// The difference, which may be negative, or `None` when it does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.minor.checked_sub(other.minor).map(Self::from_minor)
    }

    /// Parses an amount as input is written: digits, and at most two decimals after a point.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let trailing_point = digits.ends_with('.');
        if whole.is_empty() || trailing_point || !all_digits(whole) || !all_digits(decimals) {
            return Err(MoneyError::NotANumber);
        }
        if negative && digits.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
            return Err(MoneyError::Negative);
        }
        if decimals.len() > 2 {
            return Err(MoneyError::TooManyDecimals);
        }
        let minor = format!("{whole}{decimals:0<2}").parse().map_err(|_| MoneyError::TooLarge)?;
        let money = Self { minor };
        if money > Self::MAX { Err(MoneyError::TooLarge) } else { Ok(money) }
    }

    /// Parses a JSON value: a string, or a number with at most two decimals.
    ///
    /// # Errors
    /// Says what is wrong with the value.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, MoneyError> {
        match value {
            serde_json::Value::String(text) => Self::parse(text),
            // The shortest text that reads back as this number: what the client wrote, within the range accepted.
            serde_json::Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => Self::parse(&format!("{float}")),
                _ => Self::parse(&number.to_string()),
            },
            _ => Err(MoneyError::NotANumber),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        write!(f, "{sign}{}.{:02}", minor / 100, minor % 100)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Self::parse(text)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads what [`Serialize`] wrote, so a computed amount below zero too. Input goes through [`Money::from_json`].
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.as_str()),
        };
        let (whole, decimals) = digits.split_once('.').ok_or_else(|| de::Error::custom(MoneyError::NotANumber))?;
        let minor: i64 = format!("{whole}{decimals}").parse().map_err(de::Error::custom)?;
        if decimals.len() == 2 {
            Ok(Self { minor: sign * minor })
        } else {
            Err(de::Error::custom(MoneyError::NotANumber))
        }
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};

    impl utoipa::PartialSchema for super::Money {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(r"^-?\d{1,10}\.\d{2}$"))
                .description(Some("An amount of the installation's currency, with exactly two decimals."))
                .examples([serde_json::json!("1234.50")])
                .build()
                .into()
        }
    }

    impl utoipa::ToSchema for super::Money {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_is_read_with_up_to_two_decimals() {
        for (text, minor) in [("0", 0), ("1", 100), ("1.5", 150), ("1234.50", 123_450), ("-0.00", 0), ("0009", 900)] {
            assert_eq!(Money::parse(text), Ok(Money::from_minor(minor)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_its_reason() {
        use MoneyError::{Negative, NotANumber, TooLarge, TooManyDecimals};
        for (text, error) in [
            ("", NotANumber),
            (".", NotANumber),
            ("1.", NotANumber),
            (".5", NotANumber),
            ("1,5", NotANumber),
            (" 1", NotANumber),
            ("1e3", NotANumber),
            ("٣", NotANumber),
            ("NaN", NotANumber),
            ("-", NotANumber),
            ("-0.01", Negative),
            ("1.000", TooManyDecimals),
            ("10000000000.00", TooLarge),
            ("99999999999999999999999999", TooLarge),
        ] {
            assert_eq!(Money::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_json_number_counts_as_the_text_that_the_client_wrote() {
        for (json, expected) in [
            ("30", Ok(3_000)),
            ("30.1", Ok(3_010)),
            ("0.29", Ok(29)),
            ("9999999999.99", Ok(999_999_999_999)),
            ("1.005", Err(MoneyError::TooManyDecimals)),
            ("-1", Err(MoneyError::Negative)),
            ("1e300", Err(MoneyError::TooLarge)),
            ("true", Err(MoneyError::NotANumber)),
        ] {
            let value = serde_json::from_str(json).expect("the case is JSON");
            assert_eq!(Money::from_json(&value), expected.map(Money::from_minor), "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_the_wire(minor in any::<i32>()) {
            let money = Money::from_minor(i64::from(minor));
            let json = serde_json::to_string(&money).expect("money is always JSON");
            prop_assert_eq!(serde_json::from_str::<Money>(&json).expect("it reads back"), money);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Money::parse(&text);
        }
    }
}
