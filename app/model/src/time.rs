//! Time and chance as arguments: the model has no clock and no dice of its own.

use tramline_contract::Timestamp;

/// Milliseconds of the wall clock since 1970.
pub type Millis = u64;

/// One second.
pub const SECOND_MS: Millis = 1_000;

/// When a message is handled, and one throw of the dice for whatever in it is left to chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// The wall clock.
    pub ms: Millis,
    /// From 0 up to but without 1.
    pub chance: f64,
}

/// The moment that a timestamp names, in microseconds since 1970. `None` when it is not RFC 3339 in UTC.
#[must_use]
pub fn unix_us(timestamp: &Timestamp) -> Option<i64> {
    let text = timestamp.0.as_bytes();
    if text.len() < 20 || !timestamp.0.is_ascii() || text[text.len() - 1] != b'Z' {
        return None;
    }
    // Read for every row that is sorted anew, so without making strings.
    let number = |from: usize, to: usize| digits(&text[from..to]);
    let days = days_since_1970(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let fraction = &text[19..text.len() - 1];
    let micros = match fraction {
        [] => 0,
        [b'.', decimals @ ..] => {
            let decimals = &decimals[..decimals.len().min(6)];
            digits(decimals)? * 10_i64.pow(6 - decimals.len() as u32)
        }
        _ => return None,
    };
    Some(seconds * 1_000_000 + micros)
}

/// The moment that a timestamp names, in milliseconds since 1970.
#[must_use]
pub fn unix_ms(timestamp: &Timestamp) -> Option<Millis> {
    unix_us(timestamp).and_then(|us| Millis::try_from(us / 1_000).ok())
}

/// How long ago, short enough for a column: `now`, `3 s`, `5 m`, `2 h`, `4 d`.
#[must_use]
pub fn age(now_ms: Millis, then_ms: Millis) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / SECOND_MS;
    match seconds {
        0 => "now".to_owned(),
        1..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} m", seconds / 60),
        3_600..=86_399 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// When the text of [`age`] changes next.
#[must_use]
pub fn next_age_change(now_ms: Millis, then_ms: Millis) -> Millis {
    let passed = now_ms.saturating_sub(then_ms);
    let unit = match passed / SECOND_MS {
        0..=59 => SECOND_MS,
        60..=3_599 => 60 * SECOND_MS,
        _ => 3_600 * SECOND_MS,
    };
    then_ms.max(now_ms.saturating_sub(passed)) + (passed / unit + 1) * unit
}

/// The earlier of two deadlines, either of which may be missing.
#[must_use]
pub fn earliest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// Howard Hinnant's `days_from_civil`: the year begins in March, so that the leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> Option<i64> {
        unix_us(&Timestamp(text.to_owned()))
    }

    #[test]
    fn a_timestamp_is_read_to_the_microsecond() {
        assert_eq!(us("1970-01-01T00:00:00.000000Z"), Some(0));
        assert_eq!(us("2000-02-29T12:00:00.000001Z"), Some(951_825_600_000_001));
        assert_eq!(us("2026-01-31T09:30:00.5Z"), Some(1_769_851_800_500_000));
        assert_eq!(us("2026-01-31T09:30:00Z"), Some(1_769_851_800_000_000));
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for text in ["", "yesterday", "2026-01-31T09:30:00+01:00", "2026-xx-31T09:30:00.000000Z", "ééééééééééééééééééZ"]
        {
            assert_eq!(us(text), None, "{text}");
        }
    }

    #[test]
    fn an_age_names_its_largest_unit() {
        let at = |seconds: u64| age(seconds * SECOND_MS, 0);
        assert_eq!([at(0), at(3), at(61), at(7_200), at(200_000)], ["now", "3 s", "1 m", "2 h", "2 d"]);
        assert_eq!(age(5, 9_000), "now", "a clock that is behind the server's shows no negative age");
    }

    #[test]
    fn an_age_is_due_to_change_at_its_next_whole_unit() {
        assert_eq!(next_age_change(1_500, 0), 2_000);
        assert_eq!(next_age_change(61_000, 0), 120_000);
        assert!(next_age_change(5, 9_000) > 5);
    }
}
