//! House rules as checks that fail: the walls between crates, the paths in ARCHITECTURE.md, the shape of files.
//!
//! Each rule is a pure function over what was read, with a test that plants a violation.

mod agreement;
mod hosts;
mod manifests;
mod paths;
mod sources;
mod walls;
mod words;

use std::{fmt, fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{settings::Settings, workspace};

/// A place that breaks a rule, and what to do about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, from the root.
    pub path: String,
    /// A sentence.
    pub message: String,
}

impl Violation {
    fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// A text file of the repository.
#[derive(Debug)]
pub struct Text {
    /// From the root, with `/` between folders.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Text {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }
}

/// Prints every violation; fails when there is one.
pub fn report() -> Result<()> {
    let violations = violations(workspace::root())?;
    for violation in &violations {
        eprintln!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        count => bail!("{count} places break a house rule"),
    }
}

fn violations(root: &Path) -> Result<Vec<Violation>> {
    let mut texts = Vec::new();
    collect(root, root, &mut texts)?;
    let crates = manifests::read(&texts)?;

    let mut violations = walls::violations(&crates);
    violations.extend(crates.iter().flat_map(manifests::violations));
    violations.extend(texts.iter().flat_map(sources::violations));
    violations.extend(texts.iter().flat_map(words::violations));
    violations.extend(texts.iter().filter_map(hosts::violation));
    violations.extend(agreement::violations(&texts, &Settings::read()?));
    match texts.iter().find(|text| text.path == paths::DOCUMENT) {
        Some(document) => violations.extend(paths::violations(document, |path| root.join(path).exists())),
        None => violations.push(Violation::new(paths::DOCUMENT, "is missing")),
    }
    violations.sort();
    Ok(violations)
}

/// Reads every text file below a folder, but for what tools leave behind.
fn collect(root: &Path, folder: &Path, texts: &mut Vec<Text>) -> Result<()> {
    const SKIPPED: [&str; 6] = [".git", "target", "node_modules", "data", "test-results", "playwright-report"];
    let entries = fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| SKIPPED.iter().any(|skipped| name == *skipped)) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, texts)?;
        } else if let Ok(text) = fs::read_to_string(&path) {
            // What is no UTF-8 is a picture or a font, and no rule here speaks of those.
            let relative = path.strip_prefix(root).unwrap_or(&path);
            texts.push(Text { path: relative.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_the_house_rules() {
        let violations = violations(workspace::root()).unwrap();
        let list: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "\n{}\n", list.join("\n"));
    }
}
