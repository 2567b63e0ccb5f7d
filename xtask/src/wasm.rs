//! The browser app: compiles it to wasm and makes the JavaScript that loads it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::{process, settings::Settings, site::Mode, workspace};

const TARGET: &str = "wasm32-unknown-unknown";

/// The wasm as rustc made it, before it is bound to JavaScript.
///
/// It has a target folder of its own: cargo would otherwise lock out the server's build, and the flags of one
/// would spoil the cache of the other.
pub fn compile(settings: &Settings, mode: Mode) -> Result<PathBuf> {
    let profile = match mode {
        Mode::Release => &settings.lib_profile_release,
        Mode::Dev => &settings.lib_profile_dev,
    };
    let mut cargo = workspace::cargo();
    cargo.args(["rustc", "--package", &settings.lib_package, "--lib", "--profile", profile]);
    cargo.args(["--target", TARGET, "--target-dir", "target/wasm"]);
    // The crate may also be a plain library; alone as a `cdylib` it is optimised across all crates.
    cargo.args(["--crate-type", "cdylib"]);
    if mode == Mode::Dev {
        // Leptos erases the types of its views then, which compiles in a fraction of the time.
        cargo.args(["--config", r#"target.wasm32-unknown-unknown.rustflags=["--cfg","erase_components"]"#]);
    }
    process::run(&mut cargo)?;
    let file = format!("{}.wasm", settings.lib_package.replace('-', "_"));
    let wasm = workspace::path("target/wasm").join(TARGET).join(profile).join(file);
    if !wasm.is_file() {
        bail!("the build left no {}", wasm.display());
    }
    Ok(wasm)
}

/// The bound files, by their names: the JavaScript, the wasm and the snippets of the crates.
pub fn bind(settings: &Settings, mode: Mode, wasm: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = workspace::path("target/wasm/bound");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} can't be emptied", folder.display()))?;
    }
    let mut bindgen = Bindgen::new();
    bindgen.web(true)?.typescript(false).input_path(wasm).out_name(&settings.output_name);
    // `init()` without an argument finds the wasm beside its JavaScript.
    bindgen.omit_default_module_path(false);
    bindgen.keep_debug(mode == Mode::Dev).remove_name_section(mode == Mode::Release).remove_producers_section(true);
    bindgen.generate(&folder).context("the wasm can't be bound to JavaScript")?;

    let files = crate::fingerprint::read_tree(&folder)?;
    let prefix = "target/wasm/bound/";
    Ok(files.into_iter().map(|(name, bytes)| (name.trim_start_matches(prefix).to_owned(), bytes)).collect())
}
