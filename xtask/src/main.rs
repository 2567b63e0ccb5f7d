//! `cargo xtask`: builds, runs and checks the workspace, with no tool beyond Rust (and Node for the browser tests).
//!
//! This file is the list of commands; each is a module of its own.

mod assets;
mod chaos;
mod check;
mod compress;
mod dev;
mod fingerprint;
mod process;
mod run;
mod settings;
mod site;
mod stopwatch;
mod stores;
mod tally;
mod test;
mod tidy;
mod tools;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and checks Tramline.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = false)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the site and the server, optimised, and start the server
    Run {
        /// Flags for `tramline serve`, after `--`
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Start a quick build, rebuild it on every change and reload the page
    Dev {
        /// Flags for `tramline serve`, after `--`
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Install what the tests need, then run every check and every test
    Test {
        /// Run only this stage (may be given several times)
        #[arg(long, value_enum)]
        only: Vec<test::Stage>,
    },
    /// Kill, stop, flush and restart what a desk of several processes stands on, and prove that it keeps its word
    Chaos {
        /// Repeats the schedule of an earlier run
        #[arg(long, default_value_t = 20_261_124)]
        seed: u64,
        /// How long bursts of faults go on
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1440))]
        minutes: u64,
    },
    /// Check formatting, lints, the house rules and the dependencies
    Check,
    /// Check the house rules alone
    Tidy,
    /// Build the site alone
    Site {
        /// Build quickly: no optimisation, no compression
        #[arg(long)]
        dev: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run { flags } => run::run(&flags),
        Command::Dev { flags } => dev::dev(&flags),
        Command::Test { only } => test::test(&only),
        Command::Chaos { seed, minutes } => chaos::chaos(seed, minutes),
        Command::Check => check::check(),
        Command::Tidy => tidy::report(),
        Command::Site { dev } => site::build(if dev { site::Mode::Dev } else { site::Mode::Release }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
