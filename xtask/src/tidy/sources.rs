//! The shape of source files: short, introduced, and honest about the lints that they silence.

use super::{Text, Violation};

/// A file tells one story; what is longer tells two.
const LINES_AT_MOST: usize = 400;

/// What is wrong with a source file's shape.
pub fn violations(text: &Text) -> Vec<Violation> {
    let mut violations = Vec::new();
    let lines = text.text.lines().count();
    if ["rs", "ts", "css"].iter().any(|kind| text.has_extension(kind)) && lines > LINES_AT_MOST {
        violations.push(Violation::new(&text.path, format!("{lines} lines are too many; stop at {LINES_AT_MOST}")));
    }
    if text.has_extension("rs") {
        if !text.text.starts_with("//!") {
            violations.push(Violation::new(&text.path, "open with `//!`: the module's job, and what it must not know"));
        }
        violations.extend(silenced(text));
    }
    violations
}

/// `#[expect]` complains when there is nothing left to silence, and says why; `#[allow]` stays for ever.
fn silenced(text: &Text) -> impl Iterator<Item = Violation> {
    let attributes = [concat!("#[", "allow("), concat!("#![", "allow(")];
    let lines = text.text.lines().enumerate();
    lines.filter(move |(_, line)| attributes.iter().any(|attribute| line.contains(attribute))).map(|(index, _)| {
        let place = format!("{}:{}", text.path, index + 1);
        Violation::new(&place, "use `#[expect(…, reason = \"…\")]` in place of `allow`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let text = Text { path: path.into(), text: text.into() };
        violations(&text).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn a_short_introduced_file_is_fine() {
        assert!(messages("app/src/lib.rs", "//! The app.\nfn main() {}\n").is_empty());
    }

    #[test]
    fn a_long_file_is_found() {
        let text = format!("//! Long.\n{}", "\n".repeat(LINES_AT_MOST));
        assert_eq!(messages("app/src/lib.rs", &text).len(), 1);
        assert_eq!(messages("style/main.css", &text).len(), 1);
        assert!(messages("Cargo.lock", &text).is_empty());
    }

    #[test]
    fn a_file_without_an_introduction_is_found() {
        assert_eq!(messages("app/src/lib.rs", "fn main() {}").len(), 1);
    }

    #[test]
    fn a_lint_silenced_for_ever_is_found() {
        let text = format!("//! A.\n#[{}dead_code)]\nfn a() {{}}\n", "allow(");
        assert_eq!(messages("app/src/lib.rs", &text).len(), 1);
        assert!(messages("app/src/lib.rs", "//! A.\n#[expect(dead_code, reason = \"b\")]\n").is_empty());
    }
}
