//! The command line.

use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// An order desk on trade credit: sagas, outbox, event sourcing and CQRS in one binary.
#[derive(Debug, Parser)]
#[command(name = "tramline", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every service and the gateway in this process.
    Serve(ServeFlags),
    /// Bring customers and orders from CSV files to a running server.
    Import(crate::import::ImportFlags),
    /// Verify that the databases are what they must be; exits with an error when they are not.
    Check(crate::check::CheckFlags),
    /// Drive a running server and measure what a saga costs.
    Bench(crate::bench::BenchFlags),
}

/// What `serve` takes. Each can also be set as TRAMLINE_… or in the TOML file; a flag wins over the environment, and that over the file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeFlags {
    /// Folder of the databases [default: ./data]
    #[arg(long, value_name = "DIR", env = "TRAMLINE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR", env = "TRAMLINE_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// How logs are written [default: text]
    #[arg(long, value_name = "FORMAT", env = "TRAMLINE_LOG_FORMAT")]
    pub(crate) log_format: Option<crate::config::LogFormat>,
    /// What is logged, such as `info` or `tramline_orders=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "TRAMLINE_LOG")]
    pub(crate) log: Option<String>,
    /// A TOML file with the settings above [default: ./tramline.toml when it is there]
    #[arg(long, value_name = "FILE", env = "TRAMLINE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}
