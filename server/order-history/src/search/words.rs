//! Texts as words, and words as queries. Pure. No input can become syntax: words are letters, digits and points alone.

use tramline_db::EngineKind;

/// Words that one search may have: more narrow nothing down, and each costs a look into the index.
const WORDS_MAX: usize = 16;

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// The words of what somebody typed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let words = split(text);
        if words.len() > WORDS_MAX {
            return Err(format!("must have at most {WORDS_MAX} words"));
        }
        Ok(Self(words))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A query of the engine for what has a word that begins so, for each.
    pub(super) fn query(&self, engine: EngineKind) -> String {
        let (terms, and): (Vec<_>, _) = match engine {
            EngineKind::Sqlite => (self.0.iter().map(|word| format!("\"{word}\" *")).collect(), " AND "),
            EngineKind::Postgres => (self.0.iter().map(|word| format!("'{word}':*")).collect(), " & "),
        };
        terms.join(and)
    }
}

/// A text as it is put into the index: its words, with a space between.
pub(super) fn indexed(text: &str) -> String {
    split(text).join(" ")
}

/// Runs of letters and digits in lower case, where a point between two digits is one of them: `30.00` is one word.
fn split(text: &str) -> Vec<String> {
    let folded: Vec<char> = text.to_lowercase().chars().collect();
    let is_digit = |place: Option<usize>| place.and_then(|place| folded.get(place)).is_some_and(char::is_ascii_digit);
    let mut words = vec![String::new()];
    for (place, letter) in folded.iter().enumerate() {
        let joins = *letter == '.' && is_digit(place.checked_sub(1)) && is_digit(Some(place + 1));
        match words.last_mut() {
            Some(word) if letter.is_alphanumeric() || joins => word.push(*letter),
            Some(word) if !word.is_empty() => words.push(String::new()),
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_its_words() {
        assert_eq!(split(" Ada  O'Neill-Lovelace, 30.00 "), ["ada", "o", "neill", "lovelace", "30.00"]);
        assert_eq!(split("CANCEL_PENDING Äpfel 3. 4 .5"), ["cancel", "pending", "äpfel", "3", "4", "5"]);
        assert_eq!(split("*\"'():^- NEAR"), ["near"]);
        assert_eq!(split(""), Vec::<String>::new());
    }

    #[test]
    fn too_many_words_are_refused() {
        assert!(Words::parse(&"a ".repeat(WORDS_MAX)).is_ok());
        assert!(Words::parse(&"a ".repeat(WORDS_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_word_holds_what_an_engine_could_take_for_syntax(text in "\\PC{0,200}") {
            for word in split(&text) {
                prop_assert!(!word.is_empty());
                prop_assert!(word.chars().all(|letter| letter.is_alphanumeric() || letter == '.'), "{word:?}");
            }
        }

        #[test]
        fn what_is_indexed_has_the_words_of_the_text(text in "\\PC{0,200}") {
            prop_assert_eq!(split(&indexed(&text)), split(&text));
        }
    }
}
