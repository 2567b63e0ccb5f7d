//! Where the workspace lies, and a cargo that doesn't notice that it was started by another cargo.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The root folder of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in a folder of the workspace")
}

/// A path below the root.
pub fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// A cargo command that runs at the root.
///
/// `cargo run` describes xtask to xtask in environment variables. Build scripts of some crates (ring) ask to
/// be run again when those change, so a nested cargo that inherits them rebuilds half the tree each time.
pub fn cargo() -> Command {
    leading_to_cargo(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program that runs cargo in turn, in the same surroundings as [`cargo`].
pub fn leading_to_cargo(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    // The server's build looks for the site below `target`, wherever else this machine keeps its builds.
    command.env("CARGO_TARGET_DIR", path("target"));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(describes_this_crate) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_this_crate(variable: &str) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    const NAMES: [&str; 3] = ["CARGO_PRIMARY_PACKAGE", "OUT_DIR", "TARGET"];
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix)) || NAMES.contains(&variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace_manifest() {
        assert!(path("Cargo.toml").is_file());
    }

    #[test]
    fn only_what_describes_this_crate_is_hidden_from_a_nested_cargo() {
        assert!(describes_this_crate("CARGO_PKG_NAME"));
        assert!(describes_this_crate("CARGO_MANIFEST_DIR"));
        assert!(!describes_this_crate("CARGO_TERM_COLOR"));
        assert!(!describes_this_crate("RUSTFLAGS"));
    }
}
