//! The engine is for any domain, so its sources don't speak of this one's.

use super::{Text, Violation};

const ENGINE: [&str; 6] =
    ["server/db/", "server/redis/", "server/messaging/", "server/sagas/", "server/simulator/", "server/eventsourcing/"];

/// Words of the domain. `order` alone is not among them: messages have an order, and SQL says `order by`.
const DOMAIN: [&str; 5] = ["customer", "customers", "credit", "credits", "orders"];

/// Every line of the engine that speaks of customers, orders or credit.
pub fn violations(text: &Text) -> Vec<Violation> {
    let of_engine = ENGINE.iter().any(|folder| text.path.starts_with(folder));
    if !of_engine || !(text.has_extension("rs") || text.has_extension("sql")) {
        return Vec::new();
    }
    let lines = text.text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let word = domain_word(line)?;
            let place = format!("{}:{}", text.path, index + 1);
            Some(Violation::new(&place, format!("the engine must not speak of this domain: `{word}`")))
        })
        .collect()
}

fn domain_word(line: &str) -> Option<&str> {
    let mut names = line.split(|character: char| !character.is_alphanumeric() && character != '_');
    names.find(|name| is_type_of_order(name) || parts(name).any(|part| DOMAIN.contains(&part.to_lowercase().as_str())))
}

/// `OrderId` and the like, but not `Ordering`.
fn is_type_of_order(name: &str) -> bool {
    name.strip_prefix("Order").and_then(|rest| rest.chars().next()).is_some_and(char::is_uppercase)
}

/// The words of a name: `customer_id` and `CustomerId` both hold `customer`.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').flat_map(|piece| {
        let starts: Vec<usize> = piece
            .char_indices()
            .filter(|(at, character)| *at > 0 && character.is_uppercase())
            .map(|(at, _)| at)
            .collect();
        let ends = starts.clone().into_iter().chain([piece.len()]);
        [0].into_iter().chain(starts).zip(ends).map(move |(start, end)| &piece[start..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        violations(&Text { path: path.into(), text: text.into() }).len()
    }

    #[test]
    fn words_of_the_domain_are_found_in_the_engine() {
        for line in ["// A customer pays.", "struct CustomerId;", "let customer_id = 1;", "fn f(id: OrderId)", "credit"]
        {
            assert_eq!(found("server/sagas/src/lib.rs", line), 1, "{line}");
        }
    }

    #[test]
    fn order_as_an_english_word_is_fine() {
        for line in ["use std::cmp::Ordering;", "// in commit order", "order by seq", "fn in_order()", "ordered"] {
            assert_eq!(found("server/messaging/src/relay.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn services_may_speak_of_their_domain() {
        assert_eq!(found("server/orders/src/lib.rs", "struct OrderId;"), 0);
    }
}
