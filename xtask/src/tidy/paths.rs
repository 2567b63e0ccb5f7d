//! Documents go stale silently, so the paths in ARCHITECTURE.md must exist.
//!
//! A path is what stands in `backticks` and looks like one, and each folder of an indented tree in a fenced block.

use super::{Text, Violation};

/// The document whose paths are checked.
pub const DOCUMENT: &str = "ARCHITECTURE.md";

const EXTENSIONS: [&str; 9] = [".css", ".html", ".js", ".json", ".lock", ".md", ".rs", ".toml", ".ts"];

/// They look like paths and are none of the repository's: what tools make, addresses, and types of content.
const NOT_OURS: [&str; 7] = ["./", "/", "target/", "data/", "application/", "image/", "text/"];

/// Every path that is gone.
pub fn violations(document: &Text, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut tree = None;
    for (index, line) in document.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            tree = if tree.is_some() { None } else { Some(Tree::default()) };
            continue;
        }
        let named = match &mut tree {
            Some(tree) => tree.path(line).into_iter().collect(),
            None => in_backticks(line),
        };
        violations.extend(
            named
                .into_iter()
                .filter(|path| !exists(path))
                .map(|path| Violation::new(&format!("{DOCUMENT}:{}", index + 1), format!("there is no {path}"))),
        );
    }
    violations
}

fn in_backticks(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).filter(|text| looks_like_a_path(text)).map(str::to_owned).collect()
}

fn looks_like_a_path(text: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
    text.chars().all(plain)
        && (text.contains('/') || EXTENSIONS.iter().any(|extension| text.ends_with(extension)))
        && !NOT_OURS.iter().any(|start| text.starts_with(start))
}

/// The folders above a line of a tree, with how far each is indented.
#[derive(Default)]
struct Tree(Vec<(usize, String)>);

impl Tree {
    /// The folder that a line names, from the root: its first word, when that ends with `/`.
    fn path(&mut self, line: &str) -> Option<String> {
        let name = line.split_whitespace().next().filter(|word| word.ends_with('/') && looks_like_a_path(word))?;
        let indent = line.len() - line.trim_start().len();
        self.0.retain(|(above, _)| *above < indent);
        let parent = self.0.last().map_or("", |(_, path)| path.as_str());
        let path = format!("{parent}{name}");
        self.0.push((indent, path.clone()));
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(text: &str) -> Vec<String> {
        let there = ["xtask/src/tidy", "Cargo.toml", "server/", "server/db/", "app/", "app/model/"];
        let document = Text { path: DOCUMENT.into(), text: text.into() };
        violations(&document, |path| there.contains(&path)).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn paths_that_exist_and_words_that_are_none_are_fine() {
        assert!(gone("See `xtask/src/tidy`, `Cargo.toml`, `/api/orders`, `Tx`, `text/html` and `a | b`.").is_empty());
    }

    #[test]
    fn a_path_that_is_gone_is_found() {
        assert_eq!(
            gone("See `server/gone/src` and `gone.rs`."),
            ["there is no server/gone/src", "there is no gone.rs"]
        );
    }

    #[test]
    fn folders_of_a_tree_are_found_below_their_parents() {
        let tree = "```\nserver/  the binary\n  db/    storage\n  gone/  nothing\napp/\n  model/ pure\n```\n";
        assert_eq!(gone(tree), ["there is no server/gone/"]);
    }
}
