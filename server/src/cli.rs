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
    Serve(Box<ServeFlags>),
    /// Bring customers and orders from CSV files to a running server.
    Import(crate::import::ImportFlags),
    /// Verify that the databases are what they must be; exits with an error when they are not.
    Check(crate::check::CheckFlags),
    /// Look at messages that could not be handled, and mend them
    Parked(crate::parked::ParkedFlags),
    /// Look at sagas, have those that are stuck tried again, and verify before a deployment that all can go on.
    Sagas(crate::sagas::SagaFlags),
    /// Build a view anew beside the one that is read, and put it in its place; a server may be at work meanwhile
    RebuildView(crate::rebuild::RebuildFlags),
    /// Drive a running server and measure what a saga costs.
    Bench(crate::bench::BenchFlags),
}

/// Where the stores are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct StoreFlags {
    /// Folder of the databases of a desk that needs no server [default: ./data]
    #[arg(long, value_name = "DIR", env = "TRAMLINE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Database of every service, each in a schema of its own: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:FOLDER
    #[arg(long, value_name = "URL", env = "TRAMLINE_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// Database of the customers service, when it has one of its own: postgres://… or sqlite:FILE
    #[arg(long, value_name = "URL", env = "TRAMLINE_CUSTOMERS_DATABASE", hide_env_values = true)]
    pub(crate) customers_database: Option<String>,
    /// Database of the orders service, when it has one of its own
    #[arg(long, value_name = "URL", env = "TRAMLINE_ORDERS_DATABASE", hide_env_values = true)]
    pub(crate) orders_database: Option<String>,
    /// Database of the history service, when it has one of its own
    #[arg(long, value_name = "URL", env = "TRAMLINE_HISTORY_DATABASE", hide_env_values = true)]
    pub(crate) history_database: Option<String>,
    /// Database of the notifications service, when it has one of its own
    #[arg(long, value_name = "URL", env = "TRAMLINE_NOTIFICATIONS_DATABASE", hide_env_values = true)]
    pub(crate) notifications_database: Option<String>,
    /// Redis as broker and view: redis://USER:PASSWORD@HOST:PORT/DB, rediss:// for TLS
    #[arg(long, value_name = "URL", env = "TRAMLINE_REDIS", hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// What begins every key in Redis, so that desks can share one [default: tramline]
    #[arg(long, value_name = "NAME", env = "TRAMLINE_REDIS_PREFIX")]
    pub(crate) redis_prefix: Option<String>,
}

/// What `serve` takes. Each can also be set as TRAMLINE_… or in the TOML file; a flag wins over the environment, and that over the file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeFlags {
    #[command(flatten)]
    pub(crate) stores: StoreFlags,
    /// Relay of committed messages to the broker: `polling` reads the outbox, `wal` the log of PostgreSQL [default: polling]
    #[arg(long, value_name = "KIND", env = "TRAMLINE_RELAY")]
    pub(crate) relay: Option<crate::config::RelayKind>,
    /// What this process is, of customers, orders, history, notifications and gateway [default: all of them]
    #[arg(long, value_name = "ROLES", value_delimiter = ',', env = "TRAMLINE_ROLES")]
    pub(crate) roles: Option<Vec<crate::config::Role>>,
    /// Addresses of the customers service when it is another process: http://HOST:PORT, several with commas
    #[arg(long, value_name = "URLS", value_delimiter = ',', env = "TRAMLINE_CUSTOMERS_URL")]
    pub(crate) customers_url: Option<Vec<String>>,
    /// Addresses of the orders service when it is another process
    #[arg(long, value_name = "URLS", value_delimiter = ',', env = "TRAMLINE_ORDERS_URL")]
    pub(crate) orders_url: Option<Vec<String>>,
    /// Addresses of the history service when it is another process
    #[arg(long, value_name = "URLS", value_delimiter = ',', env = "TRAMLINE_HISTORY_URL")]
    pub(crate) history_url: Option<Vec<String>>,
    /// Addresses of the notifications service when it is another process
    #[arg(long, value_name = "URLS", value_delimiter = ',', env = "TRAMLINE_NOTIFICATIONS_URL")]
    pub(crate) notifications_url: Option<Vec<String>>,
    /// Where mails go: `files`, which is the folder `mail` beside the databases, files:FOLDER,
    /// smtp://USER:PASSWORD@HOST:PORT, or smtps://… [default: files]
    #[arg(long, value_name = "PLACE", env = "TRAMLINE_MAIL", hide_env_values = true)]
    pub(crate) mail: Option<String>,
    /// Sender of mails [default: orders@example.invalid]
    #[arg(long, value_name = "ADDRESS", env = "TRAMLINE_MAIL_FROM")]
    pub(crate) mail_from: Option<String>,
    /// Recipient of a customer's mails, with {id} for the customer's id [default: customer-{id}@example.invalid]
    #[arg(long, value_name = "TEMPLATE", env = "TRAMLINE_MAIL_TO")]
    pub(crate) mail_to: Option<String>,
    /// Secret that processes of one desk share, at least 32 characters; better by environment or file than by flag
    #[arg(long, value_name = "SECRET", env = "TRAMLINE_INTERNAL_SECRET", hide_env_values = true)]
    pub(crate) internal_secret: Option<String>,
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
