//! The tools that the workspace needs: installs what it may, and says in one sentence how to get the rest.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{process, workspace};

/// The browser that the tests drive.
pub const CHROMIUM: &str = "/usr/bin/chromium";

/// What Playwright asks for, and what Debian 13 brings.
const NODE_MAJOR: u32 = 20;

const WASM: &str = "wasm32-unknown-unknown";
const FONTS: &str = "/usr/share/fonts/truetype/dejavu";

/// Makes sure that rustc can compile for the browser.
pub fn wasm_target() -> Result<()> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(workspace::root()))?;
    let library = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(WASM).join("lib");
    if library.is_dir() {
        return Ok(());
    }
    if !process::succeeds(Command::new("rustup").arg("--version")) {
        bail!("this Rust can't compile for the browser: install Rust with rustup, or your system's package for {WASM}");
    }
    println!("Adding Rust's {WASM} target");
    process::run(Command::new("rustup").args(["target", "add", WASM]).current_dir(workspace::root()))
}

/// Makes sure that Node and npm are there; they run the browser tests.
pub fn node() -> Result<()> {
    if !process::succeeds(Command::new("npm").arg("--version")) {
        bail!("the browser tests run on Node.js and npm: `apt-get install nodejs npm` brings both");
    }
    let version = process::output(Command::new("node").arg("--version"))?;
    match major(&version) {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => bail!("Node.js {} is too old: the browser tests need {NODE_MAJOR} or later", version.trim()),
    }
}

/// The first number of a version such as `v20.19.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Makes sure that the browser and a font for its pages are there.
pub fn chromium() -> Result<()> {
    let mut missing = Vec::new();
    if !Path::new(CHROMIUM).exists() {
        missing.push("chromium");
    }
    if !Path::new(FONTS).exists() {
        missing.push("fonts-dejavu-core");
    }
    if missing.is_empty() { Ok(()) } else { install("the browser tests", &missing) }
}

/// Makes sure, if we may, that the servers are there on which a company would run, and a mail server. Without them their tests are
/// skipped aloud.
pub fn servers() {
    let mut missing = Vec::new();
    if !Path::new("/usr/lib/postgresql").exists() {
        missing.push("postgresql");
    }
    if !process::succeeds(Command::new("redis-server").arg("--version")) {
        missing.push("redis-server");
    }
    let mail = |python: &str| process::succeeds(Command::new(python).args(["-c", "import aiosmtpd"]));
    if !mail("/usr/bin/python3") && !mail("python3") {
        missing.push("python3-aiosmtpd");
    }
    if !missing.is_empty()
        && let Err(error) = install("the tests on PostgreSQL, Redis and a mail server", &missing)
    {
        eprintln!("warning: {error:#}; those tests are skipped");
    }
}

/// Whether `cargo <subcommand>` exists.
pub fn cargo_has(subcommand: &str) -> bool {
    process::succeeds(workspace::cargo().args([subcommand, "--version"]))
}

fn install(who: &str, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("`apt-get install -y --no-install-recommends {names}` as root");
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{who} need {names}: install them with your system's package manager");
    }
    let Some(prefix) = root_prefix() else {
        bail!("{who} need {names}, and only root may install them: run {by_hand}");
    };
    println!("Installing {names}");
    let apt = |arguments: &[&str]| {
        let mut words = prefix.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]);
        let mut command = Command::new(words.next().unwrap_or("env"));
        process::run(command.args(words).args(arguments))
    };
    // A stale list of packages is worth a try, so a failing update alone stops nothing.
    if let Err(error) = apt(&["update"]) {
        eprintln!("warning: {error:#}");
    }
    if apt(&[&["install", "--no-install-recommends"], packages].concat()).is_err() {
        bail!("{who} need {names}, and installing them failed: run {by_hand}");
    }
    Ok(())
}

/// What to put before a command so that root runs it; nothing when we are root, `None` when we may not.
fn root_prefix() -> Option<&'static [&'static str]> {
    let user = process::output(Command::new("id").arg("-u")).unwrap_or_default();
    if user.trim() == "0" {
        return Some(&[]);
    }
    process::succeeds(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_node_is_understood() {
        assert_eq!(major("v20.19.2\n"), Some(20));
        assert_eq!(major("nonsense"), None);
    }
}
