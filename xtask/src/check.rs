//! `cargo xtask check`: formatting, lints, house rules, dependencies.

use anyhow::{Result, bail};

use crate::{process, settings::Settings, stopwatch::Stopwatch, tidy, tools, workspace};

/// A check and what it's called.
type Check<'a> = (&'a str, &'a dyn Fn() -> Result<Outcome>);

/// How a check ended that found nothing wrong.
enum Outcome {
    InOrder,
    /// The sentence says how to get what is missing.
    Skipped(&'static str),
}

/// Runs every check, also after one has failed, so that one look shows all there is to mend.
pub fn check() -> Result<()> {
    tools::wasm_target()?;
    let app = Settings::read()?.lib_package;
    let native = ["clippy", "--keep-going", "--workspace", "--exclude", &app, "--all-targets", "--"];
    let browser = ["--target", "wasm32-unknown-unknown", "--target-dir", "target/wasm", "--"];
    let checks: [Check<'_>; 5] = [
        ("formatting", &|| cargo(&["fmt", "--all", "--check"])),
        ("lints", &|| cargo(&[&native[..], &DENY_WARNINGS].concat())),
        ("lints of the browser app", &|| {
            cargo(&[&["clippy", "--package", &app][..], &browser, &DENY_WARNINGS].concat())
        }),
        ("house rules", &|| tidy::report().map(|()| Outcome::InOrder)),
        ("dependencies", &dependencies),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("-- {name}");
        let watch = Stopwatch::start();
        match check() {
            Ok(Outcome::InOrder) => println!("   {name}: in order ({})", watch.elapsed()),
            Ok(Outcome::Skipped(why)) => println!("   {name}: SKIPPED: {why}"),
            Err(error) => {
                eprintln!("   {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not in order: {}", failed.join(", ")) }
}

const DENY_WARNINGS: [&str; 2] = ["--deny", "warnings"];

fn cargo(arguments: &[&str]) -> Result<Outcome> {
    process::run(workspace::cargo().args(arguments)).map(|()| Outcome::InOrder)
}

/// Licences, sources and duplicates, as `deny.toml` wants them. (Advisories need a database from outside.)
fn dependencies() -> Result<Outcome> {
    if !tools::cargo_has("deny") {
        let how = "cargo-deny is not on this machine; `cargo install --locked cargo-deny` brings it";
        return Ok(Outcome::Skipped(how));
    }
    cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"])
}
