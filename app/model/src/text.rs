//! Words and numbers as a person reads them. Every sentence that several pages share is made here.

use tramline_contract::Money;
use uuid::Uuid;

/// An amount with grouped thousands: `1,234.50`, `−20.00`. No currency: the installation has only one.
#[must_use]
pub fn money(amount: Money) -> String {
    let minor = amount.minor().unsigned_abs();
    let sign = if amount.minor() < 0 { "−" } else { "" };
    format!("{sign}{}.{:02}", grouped(minor / 100), minor % 100)
}

/// A whole number with grouped thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Enough of an id to tell rows apart: `0195…a3f7c2`. The beginning is the time, the end is chance.
#[must_use]
pub fn short_id(id: Uuid) -> String {
    let text = id.simple().to_string();
    format!("{}…{}", &text[..4], &text[26..])
}

/// `1 order`, `1,200 orders`.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let shown = [0, 5, 99_999, 100_000, 123_456_789, -2_000].map(|minor| money(Money::from_minor(minor)));
        assert_eq!(shown, ["0.00", "0.05", "999.99", "1,000.00", "1,234,567.89", "−20.00"]);
    }

    #[test]
    fn a_count_agrees_with_its_noun() {
        assert_eq!(count(1, "order", "orders"), "1 order");
        assert_eq!(count(10_000, "order", "orders"), "10,000 orders");
    }

    #[test]
    fn a_short_id_keeps_both_ends() {
        let id = Uuid::parse_str("0195aaaa-bbbb-7ccc-8ddd-eeeeeea3f7c2").expect("it is a UUID");
        assert_eq!(short_id(id), "0195…a3f7c2");
    }
}
