//! `Leptos.toml`: the settings of the site that the server reads too.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace;

/// The settings, with the names of the file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Names the files of the site: `<output-name>.js`, `<output-name>_bg.wasm`, `<output-name>.css`.
    pub output_name: String,
    /// Where the built site lies.
    pub site_root: String,
    /// The folder of the hashed files inside the site.
    pub site_pkg_dir: String,
    /// The style sheet that imports all others.
    pub style_file: String,
    /// Files that the site takes as they are.
    pub assets_dir: String,
    /// The package of the browser app.
    pub lib_package: String,
    /// The package and the name of the server.
    pub bin_package: String,
    /// How the browser app is optimised.
    pub lib_profile_release: String,
    /// How the browser app is built in a hurry.
    pub lib_profile_dev: String,
    /// The folder of the browser tests.
    pub end2end_dir: String,
}

#[derive(Deserialize)]
struct File {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    leptos: Vec<Settings>,
}

impl Settings {
    /// Reads the file at the workspace's root.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(workspace::path("Leptos.toml")).context("Leptos.toml can't be read")?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).context("Leptos.toml can't be understood")?;
        file.workspace.metadata.leptos.into_iter().next().context("Leptos.toml describes no site")
    }

    /// The folder of the built site.
    pub fn site(&self) -> PathBuf {
        workspace::path(&self.site_root)
    }

    /// The folder of the browser app's sources.
    pub fn app(&self) -> PathBuf {
        workspace::path("app")
    }

    /// The server as `cargo build --release` leaves it.
    pub fn release_binary(&self) -> PathBuf {
        workspace::path("target/release").join(&self.bin_package)
    }

    /// The server as `cargo build` leaves it.
    pub fn debug_binary(&self) -> PathBuf {
        workspace::path("target/debug").join(&self.bin_package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_workspace_is_understood() {
        let settings = Settings::read().unwrap();
        assert_eq!(settings.output_name, "tramline");
        assert!(settings.site().ends_with("target/site"));
    }

    #[test]
    fn a_missing_setting_is_named() {
        let error = Settings::parse("[[workspace.metadata.leptos]]\nname = \"x\"").unwrap_err();
        assert!(format!("{error:#}").contains("output-name"), "{error:#}");
    }
}
