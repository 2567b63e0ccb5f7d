//! `tramline`: the order desk in one binary.

mod bench;
mod check;
mod cli;
mod compose;
mod config;
mod desk;
mod import;
mod lock;
mod logging;
mod parked;
mod rebuild;
mod sagas;
mod serve;
mod stopwatch;
mod terminal;

use clap::Parser as _;
use cli::{Cli, Command};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(flags) => serve::run(*flags).await,
        Command::Import(flags) => import::run(flags).await,
        Command::Check(flags) => check::run(flags).await,
        Command::Parked(flags) => parked::run(flags).await,
        Command::Sagas(flags) => sagas::run(flags).await,
        Command::RebuildView(flags) => rebuild::run(flags).await,
        Command::Bench(flags) => bench::run(flags).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line with every cause: what an operator needs at a prompt or in a journal.
            eprintln!("tramline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
