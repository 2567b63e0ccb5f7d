//! The gateway embeds the site by a literal, as its macro wants; the literal must say what `Leptos.toml` says.

use super::{Text, Violation};
use crate::settings::Settings;

const EMBEDDING: &str = "#[folder = \"";

/// What the embedding file says otherwise than the settings do. That nothing embeds the site is a violation too.
pub fn violations(texts: &[Text], settings: &Settings) -> Vec<Violation> {
    let gateway = |text: &&Text| text.path.starts_with("server/gateway/src/") && text.text.contains(EMBEDDING);
    let Some(text) = texts.iter().find(gateway) else {
        return vec![Violation::new("server/gateway", "embeds no site; say here how the settings reach it")];
    };
    let expected = [
        format!("{EMBEDDING}../../{}\"", settings.site_root.trim_end_matches('/')),
        format!("\"{}/\"", settings.site_pkg_dir),
    ];
    let missing = expected.iter().filter(|literal| !text.text.contains(literal.as_str()));
    missing.map(|literal| Violation::new(&text.path, format!("must say `{literal}`, as Leptos.toml does"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, source: &str) -> usize {
        let text = Text { path: path.into(), text: source.into() };
        violations(&[text], &Settings::read().unwrap()).len()
    }

    #[test]
    fn a_gateway_that_embeds_another_folder_is_found() {
        let path = "server/gateway/src/site.rs";
        assert_eq!(found(path, "#[folder = \"../../target/site\"] strip_prefix(\"pkg/\")"), 0);
        assert_eq!(found(path, "#[folder = \"../../target/other\"] strip_prefix(\"pkg/\")"), 1);
        assert_eq!(found(path, "#[folder = \"../../target/site\"] strip_prefix(\"files/\")"), 1);
    }

    #[test]
    fn a_gateway_that_embeds_nothing_is_found() {
        assert_eq!(found("server/gateway/src/lib.rs", "//! Nothing."), 1);
    }
}
