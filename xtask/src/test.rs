//! `cargo xtask test`: installs what the tests need, then runs every check and every test.
//!
//! The runners print their own reports as they go. The last line of all is the sum over them.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{
    check, process, run,
    settings::Settings,
    stopwatch::{Elapsed, Stopwatch},
    stores::{self, Stores},
    tally::{self, Tally},
    tools, workspace,
};

/// The parts of a run, in their order.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Formatting, lints, house rules, dependencies
    Check,
    /// Site and server, optimised
    Build,
    /// Rust tests
    Unit,
    /// Simulated sagas, optimised
    Simulation,
    /// Examples in the documentation, and what must not compile
    Doc,
    /// Rust tests again, on PostgreSQL and Redis with either relay
    Stores,
    /// Stories in the browser
    Browser,
    /// Stories in the browser again, on PostgreSQL and Redis with either relay
    BrowserStores,
}

impl Stage {
    const ALL: [Self; 8] = [
        Self::Check,
        Self::Build,
        Self::Unit,
        Self::Simulation,
        Self::Doc,
        Self::Stores,
        Self::Browser,
        Self::BrowserStores,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Check => "Checks",
            Self::Build => "Build",
            Self::Unit => "Rust tests",
            Self::Simulation => "Simulation",
            Self::Doc => "Documentation tests",
            Self::Stores => "Rust tests, stores",
            Self::Browser => "Browser tests",
            Self::BrowserStores => "Browser tests, stores",
        }
    }

    /// Whether the stage uses the optimised server, the one file that users get.
    fn needs_build(self) -> bool {
        !matches!(self, Self::Check | Self::Build | Self::Doc | Self::Simulation)
    }
}

/// Sagas that the simulation brings to their end under faults, in some minutes of two cores.
const SIMULATED_SAGAS: &str = "100000";

/// Runs all stages, or the given ones with what they need.
///
/// A stage that fails doesn't keep the later ones from running: one run shows all there is to mend.
pub fn test(only: &[Stage]) -> Result<()> {
    let wanted = |stage: Stage| {
        only.is_empty() || only.contains(&stage) || (stage == Stage::Build && only.iter().any(|one| one.needs_build()))
    };
    let stages: Vec<_> = Stage::ALL.into_iter().filter(|stage| wanted(*stage)).collect();
    let whole = Stopwatch::start();
    headline("Set-up");
    set_up(&stages)?;

    let mut sum = Tally::default();
    let mut rows = Vec::new();
    let mut built = true;
    for stage in stages {
        headline(stage.title());
        if stage.needs_build() && !built {
            eprintln!("skipped: there is no server to test");
            continue;
        }
        let watch = Stopwatch::start();
        let (succeeded, tally) = match perform(stage) {
            Ok(outcome) => outcome,
            Err(error) => {
                eprintln!("error: {error:#}");
                (false, Tally::default())
            }
        };
        built &= succeeded || stage != Stage::Build;
        sum += if succeeded { tally } else { tally.at_least_one_failure() };
        rows.push((stage, succeeded, watch.elapsed()));
    }
    close(&rows, whole.elapsed(), sum)
}

fn headline(title: &str) {
    println!("\n==== {title}");
}

fn set_up(stages: &[Stage]) -> Result<()> {
    tools::wasm_target()?;
    if stages.iter().any(|stage| matches!(stage, Stage::Stores | Stage::BrowserStores | Stage::Unit)) {
        tools::servers();
    }
    if stages.iter().any(|stage| matches!(stage, Stage::Browser | Stage::BrowserStores)) {
        tools::node()?;
        tools::chromium()?;
        npm_packages(&workspace::path(&Settings::read()?.end2end_dir))?;
    }
    println!("All tools are there.");
    Ok(())
}

/// Installs the npm packages of the lock file, unless they are in place.
fn npm_packages(folder: &Path) -> Result<()> {
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let installed = changed(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= changed(&folder.join("package-lock.json")) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
    // The tests drive the system's browser.
    process::run(npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))
}

fn perform(stage: Stage) -> Result<(bool, Tally)> {
    match stage {
        Stage::Check => check::check().map(|()| (true, Tally::default())),
        Stage::Build => run::build().map(|_| (true, Tally::default())),
        Stage::Unit => unit(None),
        Stage::Simulation => simulation(),
        Stage::Doc => doc(),
        Stage::Stores => on_stores(&stores::ALL, |stores| unit(Some(stores))),
        Stage::Browser => browser(None),
        // What the pages see of PostgreSQL alone is what they see of it with Redis.
        Stage::BrowserStores => on_stores(&stores::ALL[1..], |stores| browser(Some(stores))),
    }
}

/// The same on each of these stores. What a machine lacks is said aloud and counts as skipped.
fn on_stores(all: &[Stores], run: impl Fn(Stores) -> Result<(bool, Tally)>) -> Result<(bool, Tally)> {
    let (mut succeeded, mut sum) = (true, Tally::default());
    for stores in all {
        println!("\n---- on {}", stores.name);
        let (good, tally) = run(*stores)?;
        succeeded &= good;
        sum += tally;
    }
    Ok((succeeded, sum))
}

/// The Rust tests. cargo-nextest runs them in parallel, each in a process of its own; without it, cargo does.
fn unit(stores: Option<Stores>) -> Result<(bool, Tally)> {
    let settings = Settings::read()?;
    let mut cargo = match stores {
        Some(stores) => stores.beside("cargo")?,
        None => workspace::cargo(),
    };
    cargo.env("TRAMLINE_BIN", settings.release_binary());
    let nextest = tools::cargo_has("nextest");
    if nextest {
        cargo.args(["nextest", "run", "--profile", "ci"]);
    } else {
        println!("(Faster with cargo-nextest: `cargo install --locked cargo-nextest` brings it.)");
        cargo.args(["test", "--all-targets", "--no-fail-fast"]);
    }
    if nextest {
        // What starts servers of its own says the same whatever these are; what simulates has a stage of its own.
        let left_out = if stores.is_some() { "binary(cluster) or binary(simulation)" } else { "binary(simulation)" };
        cargo.args(["-E", &format!("not ({left_out})")]);
    }
    match stores {
        Some(stores) => cargo.args(stores.packages.iter().flat_map(|package| ["-p", package])),
        None => cargo.args(["--workspace", "--exclude", &settings.lib_package]),
    };
    if nextest { counted(&mut cargo, tally::of_nextest) } else { counted(&mut cargo, tally::of_libtest) }
}

/// What a plain run does with few sagas, with as many as must be: in release, since it is all work.
fn simulation() -> Result<(bool, Tally)> {
    let mut cargo = workspace::cargo();
    // The package of the server alone: with others beside it, their dependencies have other features and all is compiled anew.
    cargo.args(["test", "--release", "--no-fail-fast", "-p", "tramline", "--test", "simulation"]);
    cargo.args(["--", "--show-output"]).env("TRAMLINE_SIMULATION_SAGAS", SIMULATED_SAGAS);
    counted(&mut cargo, tally::of_libtest)
}

/// The tests in documentation; some hold code that must not compile.
fn doc() -> Result<(bool, Tally)> {
    let settings = Settings::read()?;
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--doc", "--no-fail-fast", "--workspace", "--exclude", &settings.lib_package]);
    counted(&mut cargo, tally::of_libtest)
}

fn counted(command: &mut Command, count: impl Fn(&str) -> Option<Tally>) -> Result<(bool, Tally)> {
    let (succeeded, printed) = process::run_and_listen(command)?;
    if printed.contains(stores::SKIPPED) {
        return Ok((true, Tally { skipped: 1, ..Tally::default() }));
    }
    match count(&printed) {
        Some(tally) => Ok((succeeded && tally.failed == 0, tally)),
        None if succeeded => bail!("`{}` ended without a count of its tests", process::shown(command)),
        None => Ok((false, Tally::one_failure())),
    }
}

fn browser(stores: Option<Stores>) -> Result<(bool, Tally)> {
    let settings = Settings::read()?;
    let folder = workspace::path(&settings.end2end_dir);
    let report = folder.join("test-results/report.json");
    let _ = fs::remove_file(&report);
    // Playwright drops the types unread. A wrong one fails the stage, but the stories run all the same.
    let typed = Command::new("npm").args(["run", "--silent", "types"]).current_dir(&folder).status()?.success();
    let mut playwright = match stores {
        Some(stores) => stores.beside("npx")?,
        None => Command::new("npx"),
    };
    playwright.args(["--no-install", "playwright", "test"]).current_dir(&folder);
    playwright.env("TRAMLINE_BIN", settings.release_binary());
    let (succeeded, printed) = process::run_and_listen(&mut playwright)?;
    if printed.contains(stores::SKIPPED) {
        return Ok((true, Tally { skipped: 1, ..Tally::default() }));
    }
    let succeeded = succeeded && typed;
    match fs::read_to_string(&report) {
        Ok(text) => {
            let tally = tally::of_playwright(&text)?;
            Ok((succeeded && tally.failed == 0, tally))
        }
        Err(_) if succeeded => bail!("Playwright left no report at {}", report.display()),
        Err(_) => Ok((false, Tally::one_failure())),
    }
}

/// The stages with their times, and the sum as the last line.
fn close(rows: &[(Stage, bool, Elapsed)], whole: Elapsed, sum: Tally) -> Result<()> {
    headline("Summary");
    for (stage, succeeded, elapsed) in rows {
        let outcome = if *succeeded { "ok" } else { "FAILED" };
        println!("{:<22} {outcome:<8} {elapsed}", stage.title());
    }
    println!("{:<22} {:<8} {whole}\n\n{sum}", "Whole run", "");
    if sum.failed > 0 {
        // The sum is the last line of the output, so the reason stands above it and not behind.
        std::process::exit(1);
    }
    Ok(())
}
