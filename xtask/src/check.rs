//! `cargo xtask check`: formatting, lints, house rules, dependencies.

use anyhow::{Result, bail};

use crate::{process, settings::Settings, stopwatch::Stopwatch, tidy, tools, workspace};

/// Runs every check, also after one has failed, so that one look shows all there is to mend.
pub fn check() -> Result<()> {
    tools::wasm_target()?;
    let app = Settings::read()?.lib_package;
    let checks: [(&str, Check<'_>); 5] = [
        ("formatting", &|| cargo(&["fmt", "--all", "--check"])),
        ("lints", &|| {
            cargo(&["clippy", "--workspace", "--exclude", &app, "--all-targets", "--", "--deny", "warnings"])
        }),
        ("lints of the browser app", &|| {
            let browser = ["--target", "wasm32-unknown-unknown", "--target-dir", "target/wasm"];
            cargo(&[&["clippy", "--package", &app][..], &browser, &["--", "--deny", "warnings"]].concat())
        }),
        ("house rules", &tidy::report),
        ("dependencies", &dependencies),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("-- {name}");
        let watch = Stopwatch::start();
        match check() {
            Ok(()) => println!("   {name}: ok ({})", watch.elapsed()),
            Err(error) => {
                eprintln!("   {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not in order: {}", failed.join(", ")) }
}

type Check<'a> = &'a dyn Fn() -> Result<()>;

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run(workspace::cargo().args(arguments))
}

/// Licences, sources and duplicates, as `deny.toml` wants them. (Advisories need a database from outside.)
fn dependencies() -> Result<()> {
    if !tools::cargo_has("deny") {
        println!("   SKIPPED: cargo-deny is not on this machine; `cargo install --locked cargo-deny` brings it");
        return Ok(());
    }
    cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"])
}
