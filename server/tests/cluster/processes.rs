//! `deploy/processes.toml`: which processes there are, and what each is given.

use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessFile {
    settings: BTreeMap<String, String>,
    process: Vec<Planned>,
}

/// A process as the file describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    pub name: String,
    pub role: String,
    pub listen: String,
}

impl ProcessFile {
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/processes.toml");
        toml::from_str(&std::fs::read_to_string(path).expect("the process file reads")).expect("it is what it must be")
    }

    pub fn processes(&self) -> &[Planned] {
        &self.process
    }

    /// What a process is given, with `known` in place of the placeholders.
    pub fn settings(&self, process: &Planned, known: &BTreeMap<String, String>) -> Vec<(String, String)> {
        let mut settings: Vec<_> =
            self.settings.iter().map(|(name, value)| (name.clone(), filled(value, known))).collect();
        settings.push(("TRAMLINE_ROLES".to_owned(), process.role.clone()));
        settings.push(("TRAMLINE_LISTEN".to_owned(), known.get(&process.name).expect("it has an address").clone()));
        settings
    }
}

fn filled(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').expect("a placeholder ends");
        filled.push_str(before);
        filled.push_str(known.get(name).unwrap_or_else(|| panic!("nobody knows ${{{name}}}")));
        rest = after;
    }
    filled + rest
}

#[test]
fn the_file_names_two_processes_of_each_role_and_only_settings_that_exist() {
    let file = ProcessFile::read();
    for role in ["customers", "orders", "history", "notifications", "gateway"] {
        assert_eq!(file.processes().iter().filter(|process| process.role == role).count(), 2, "{role}");
    }
    let mut known: BTreeMap<_, _> = file.processes().iter().map(|p| (p.name.clone(), p.listen.clone())).collect();
    let addresses: std::collections::BTreeSet<_> = known.values().cloned().collect();
    assert_eq!(addresses.len(), file.processes().len(), "no two listen on the same address");
    for name in ["DATABASE", "REDIS", "SECRET", "RELAY", "MAIL"] {
        known.insert(name.to_owned(), name.to_lowercase());
    }
    for process in file.processes() {
        for (name, value) in file.settings(process, &known) {
            assert!(tramline_testing::SETTINGS.contains(&name.as_str()), "{name}");
            assert!(!value.contains('$'), "{name} is {value}");
        }
    }
}

#[test]
fn the_examples_for_systemd_and_compose_give_the_same_settings_as_the_file() {
    let file = ProcessFile::read();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    for example in ["systemd/tramline.env.example", "compose.yaml"] {
        let text = std::fs::read_to_string(folder.join(example)).expect("the example reads");
        for name in file.settings.keys() {
            assert!(text.contains(name), "{example} does not give {name}");
        }
        for word in text.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|w| w.starts_with("TRAMLINE_")) {
            assert!(tramline_testing::SETTINGS.contains(&word), "{example}: {word} is no setting");
        }
    }
}
