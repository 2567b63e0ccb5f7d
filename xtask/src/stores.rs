//! The same tests on the stores that a company would run: PostgreSQL and Redis, started for the run on private ports.

use std::process::Command;

use anyhow::Result;

use crate::{process, settings::Settings, workspace};

/// What a desk is kept on, beside SQLite and what is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stores {
    pub name: &'static str,
    servers: &'static [&'static str],
    relay: &'static str,
    /// The packages whose tests say something new there.
    pub packages: &'static [&'static str],
}

/// Every combination, from the least to the most.
pub const ALL: [Stores; 3] = [
    Stores {
        name: "PostgreSQL",
        servers: &["postgres"],
        relay: "polling",
        packages: &[
            "tramline-db",
            "tramline-messaging",
            "tramline-sagas",
            "tramline-eventsourcing",
            "tramline-customers",
            "tramline-orders",
            "tramline-order-history",
            "tramline-notifications",
            "tramline",
        ],
    },
    Stores {
        name: "PostgreSQL and Redis, polling",
        servers: &["postgres", "redis"],
        relay: "polling",
        packages: &["tramline-order-history", "tramline"],
    },
    Stores {
        name: "PostgreSQL and Redis, log tailing",
        servers: &["postgres", "redis"],
        relay: "wal",
        packages: &["tramline"],
    },
];

/// How the program that starts the servers says that one is not installed and nothing was run.
pub const SKIPPED: &str = "with-servers: SKIPPED";

impl Stores {
    /// A command that runs `program` beside the servers, with the settings that name them.
    pub fn beside(self, program: &str) -> Result<Command> {
        process::run(workspace::cargo().args(["build", "-q", "-p", "tramline-testing", "--bin", "with-servers"]))?;
        let mut command = workspace::leading_to_cargo(workspace::path("target/debug/with-servers"));
        command.args(self.servers).arg(program);
        command.env("TRAMLINE_TEST_RELAY", self.relay).env("TRAMLINE_BIN", Settings::read()?.release_binary());
        Ok(command)
    }
}
