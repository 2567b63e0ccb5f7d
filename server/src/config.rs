//! Settings: flags over environment over file over defaults.

use crate::cli::ServeFlags;
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The site's settings, shared with the build.
const LEPTOS_TOML: &str = include_str!("../../Leptos.toml");
/// Read when it is there and no other file is named.
const DEFAULT_FILE: &str = "tramline.toml";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Everything that `serve` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) log_format: LogFormat,
    pub(crate) log: String,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    log_format: Option<LogFormat>,
    log: Option<String>,
}

impl Config {
    /// Puts the layers together.
    pub(crate) fn load(flags: ServeFlags) -> anyhow::Result<Self> {
        let file = match &flags.config {
            Some(path) => read_file(path)?,
            None if Path::new(DEFAULT_FILE).exists() => read_file(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        let config = Self {
            data: flags.data.or(file.data).unwrap_or_else(|| PathBuf::from("data")),
            listen: match flags.listen.or(file.listen) {
                Some(listen) => listen,
                None => default_listen()?,
            },
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            log: flags.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
        };
        if !config.listen.ip().is_loopback() {
            bail!(
                "{} can be reached from other machines, but there is no sign-in to keep them out; \
                 listen on a loopback address such as 127.0.0.1:{}",
                config.listen,
                config.listen.port()
            );
        }
        Ok(config)
    }
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a settings file", path.display()))
}

/// The address that the site was built for.
fn default_listen() -> anyhow::Result<SocketAddr> {
    let table: toml::Table = toml::from_str(LEPTOS_TOML).context("Leptos.toml does not read")?;
    table
        .get("workspace")
        .and_then(|workspace| {
            workspace.get("metadata")?.get("leptos")?.get(0)?.get("site-addr")?.as_str()?.parse().ok()
        })
        .context("Leptos.toml has no site-addr")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(config: &Path) -> ServeFlags {
        ServeFlags { config: Some(config.to_owned()), ..ServeFlags::default() }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "data = \"/srv/desk\"\nlisten = \"127.0.0.1:4000\"\n").expect("it is written");
        let listen = Some("127.0.0.1:5000".parse().expect("an address"));
        let config = Config::load(ServeFlags { listen, ..flags(&path) }).expect("it loads");
        assert_eq!(config.listen.port(), 5_000);
        assert_eq!(config.data, Path::new("/srv/desk"));
        assert_eq!(config.log, "info");
    }

    #[test]
    fn without_any_setting_the_desk_listens_where_the_site_was_built_for() {
        assert_eq!(default_listen().expect("it is there").to_string(), "127.0.0.1:3000");
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "dta = \"x\"").expect("it is written");
        let error = format!("{:#}", Config::load(flags(&path)).expect_err("it is refused"));
        assert!(error.contains("dta"), "{error}");
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_without_sign_in() {
        let listen = Some("0.0.0.0:3000".parse().expect("an address"));
        assert!(Config::load(ServeFlags { listen, ..ServeFlags::default() }).is_err());
    }
}
