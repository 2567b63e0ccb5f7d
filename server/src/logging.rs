//! Structured logs on standard error.

use crate::config::LogFormat;
use anyhow::Context as _;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Installs the log for the process.
pub(crate) fn install(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter: EnvFilter = filter.parse().with_context(|| format!("{filter:?} is no log filter"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
