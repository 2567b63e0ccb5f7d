//! Where a list goes on, as text.

use uuid::Uuid;

/// A place in the list of keys: group and key.
pub(crate) fn of_key(group: &str, key: Uuid) -> String {
    format!("{group}.{}", key.simple())
}

pub(crate) fn parse_key(text: &str) -> Result<(String, Uuid), String> {
    let parsed = text.rsplit_once('.').and_then(|(group, key)| Some((group.to_owned(), Uuid::parse_str(key).ok()?)));
    parsed.ok_or_else(no_cursor)
}

/// A place in the audit: an entry.
pub(crate) fn parse_entry(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| no_cursor())
}

fn no_cursor() -> String {
    "is not a cursor of this list".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_what_it_was_written_from() {
        let id = Uuid::from_u128(7);
        assert_eq!(parse_key(&of_key("order.history", id)), Ok(("order.history".to_owned(), id)));
        assert_eq!(parse_entry(&id.to_string()), Ok(id));
        for bad in ["", "x", "x.y", ".", "12"] {
            assert!(parse_key(bad).is_err() && parse_entry(bad).is_err(), "{bad}");
        }
    }
}
