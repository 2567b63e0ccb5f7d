//! Manifests: reads them, and sees that versions and lints are settled once, in the workspace's own.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{Text, Violation};

/// Only these name versions themselves: what they link is theirs alone, and some of it is pinned to the digit.
const OWN_VERSIONS: [&str; 2] = ["tramline-app", "xtask"];

/// A crate of the workspace, as its manifest describes it.
#[derive(Debug)]
pub struct Crate {
    /// Where its manifest lies, from the root.
    pub path: String,
    /// The name of its package.
    pub name: String,
    /// What it names under `[dependencies]` and the like, with the rest of the line.
    pub dependencies: Vec<(String, Value)>,
    /// Those of them that only its tests name.
    pub only_for_tests: Vec<String>,
    lints: Option<Value>,
}

/// The crates among the files.
pub fn read(texts: &[Text]) -> Result<Vec<Crate>> {
    texts
        .iter()
        .filter(|text| text.path.ends_with("/Cargo.toml"))
        .map(|text| parse(text).with_context(|| format!("{} can't be understood", text.path)))
        .collect()
}

/// A manifest's crate.
pub fn parse(text: &Text) -> Result<Crate> {
    let manifest: Table = toml::from_str(&text.text)?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let mut sections = BTreeMap::new();
    find_sections(&manifest, &mut sections);
    Ok(Crate {
        path: text.path.clone(),
        name: name.context("it names no package")?.to_owned(),
        only_for_tests: sections.iter().filter(|(_, (_, tests))| *tests).map(|(name, _)| name.clone()).collect(),
        dependencies: sections.into_iter().map(|(name, (value, _))| (name, value)).collect(),
        lints: manifest.get("lints").cloned(),
    })
}

/// `[dependencies]`, `[dev-dependencies]`, `[build-dependencies]`, and the same below `[target.…]`.
/// Says of each whether only tests name it.
fn find_sections(table: &Table, found: &mut BTreeMap<String, (Value, bool)>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                let for_tests = key == "dev-dependencies";
                for (name, value) in inner {
                    let entry = found.entry(name.clone()).or_insert_with(|| (value.clone(), for_tests));
                    entry.1 &= for_tests;
                }
            }
            "package" | "features" | "lints" => {}
            _ => find_sections(inner, found),
        }
    }
}

/// What a manifest settles that the workspace should.
pub fn violations(one: &Crate) -> Vec<Violation> {
    let inherits = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
    let mut violations = Vec::new();
    if !OWN_VERSIONS.contains(&one.name.as_str()) {
        let own = one.dependencies.iter().filter(|(_, value)| !inherits(value));
        violations.extend(own.map(|(name, _)| {
            let message = format!("put `{name}` into the workspace's Cargo.toml and write `{name}.workspace = true`");
            Violation::new(&one.path, message)
        }));
    }
    if !one.lints.as_ref().is_some_and(inherits) {
        violations.push(Violation::new(&one.path, "take the workspace's lints: `[lints] workspace = true`"));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(manifest: &str) -> Vec<String> {
        let text = Text { path: "server/db/Cargo.toml".into(), text: manifest.into() };
        violations(&parse(&text).unwrap()).into_iter().map(|violation| violation.message).collect()
    }

    const PACKAGE: &str = "[package]\nname = \"tramline-db\"\n[lints]\nworkspace = true\n";

    #[test]
    fn dependencies_of_the_workspace_are_fine() {
        let manifest =
            format!("{PACKAGE}[dependencies]\nserde.workspace = true\nuuid = {{ workspace = true, optional = true }}");
        assert!(messages(&manifest).is_empty());
    }

    #[test]
    fn a_version_of_ones_own_is_found_in_every_section() {
        for section in ["dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"] {
            let found = messages(&format!("{PACKAGE}[{section}]\nserde = \"1\""));
            assert!(found.len() == 1 && found[0].contains("`serde`"), "{section}: {found:?}");
        }
    }

    #[test]
    fn lints_of_ones_own_are_found() {
        let found = messages("[package]\nname = \"tramline-db\"");
        assert!(found.len() == 1 && found[0].contains("[lints]"), "{found:?}");
    }
}
