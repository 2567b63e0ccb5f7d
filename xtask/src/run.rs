//! `cargo xtask run`: from a clean clone to the served page.

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Result, anyhow};

use crate::{
    process,
    settings::Settings,
    site::{self, Mode},
    workspace,
};

/// Builds site and server and becomes the server.
pub fn run(flags: &[String]) -> Result<()> {
    let binary = build()?;
    println!("[3/3] Starting the server");
    let mut serve = Command::new(&binary);
    // The server takes this process over, so that Ctrl-C and a supervisor's signals reach it directly.
    let error = serve.arg("serve").args(flags).exec();
    Err(anyhow!("`{}` can't be started: {error}", binary.display()))
}

/// Builds the site and the server that carries it inside; where the server lies.
pub fn build() -> Result<PathBuf> {
    let settings = Settings::read()?;
    let note = if settings.release_binary().exists() { "" } else { " (the first time takes some minutes)" };
    println!("[1/3] Building the site{note}");
    site::build(Mode::Release)?;
    println!("[2/3] Building the server{note}");
    process::run(workspace::cargo().args(["build", "--release", "--package", &settings.bin_package]))?;
    Ok(settings.release_binary())
}
