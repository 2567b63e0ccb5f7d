//! `tramline parked`: looks at messages that wait in the parking lots of a running server, and mends them through its API.
//!
//! It decides nothing: what may be done, the server says.

mod show;

use crate::desk::{Desk, after};
use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};
use tramline_contract::{
    AuditPage, EditParked, MendParked, Mended, ParkedDetail, ParkedKeys, ParkedKinds, Rehearsal, SkipParked,
};
use uuid::Uuid;

/// The largest body that is read from a file; the server takes no larger one.
const BODY_MAX_BYTES: u64 = 64 * 1024;

/// What `parked` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A message is named as `list` prints it: SERVICE/GROUP/ID. The messages of a key are handled in order, so the first of them holds up \
the others: look at it (show), give it a body that reads (edit), rehearse (dry-run), and have its key handled again (retry); or take \
it out for good (skip). Everything that is done is in the audit.")]
pub(crate) struct ParkedFlags {
    #[command(subcommand)]
    command: Command,
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000", global = true)]
    url: String,
    /// Print the server's answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List the keys whose messages wait, each with the first of them
    List {
        /// Only of this service
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// Where the list goes on, as the page before has said
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
        /// How many keys at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Count what waits, by kind and reason
    Kinds,
    /// Show a message with its headers and body, and what waits behind it
    Show {
        #[arg(value_name = "SERVICE/GROUP/ID")]
        message: Address,
    },
    /// Give a message another body
    Edit {
        #[arg(value_name = "SERVICE/GROUP/ID")]
        message: Address,
        /// File with the new body as JSON; `-` reads it from standard input
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Have a message handled and undo that: tells what would become of it
    DryRun {
        #[arg(value_name = "SERVICE/GROUP/ID")]
        message: Address,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Have the messages of its key handled again, in order, until one fails
    Retry {
        #[arg(value_name = "SERVICE/GROUP/ID")]
        message: Address,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Take a message out for good, unhandled
    Skip {
        #[arg(value_name = "SERVICE/GROUP/ID")]
        message: Address,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List what was done to parked messages, newest first
    Audit {
        /// Where the list goes on, as the page before has said
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
        /// How many entries at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
}

/// A message as `list` names it.
#[derive(Clone, Debug)]
struct Address(String);

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let parts: Vec<_> = text.split('/').collect();
        if matches!(parts[..], [service, group, id] if is_name(service) && is_name(group) && Uuid::parse_str(id).is_ok())
        {
            Ok(Self(text.to_owned()))
        } else {
            Err("must look like SERVICE/GROUP/ID, as `tramline parked list` prints it".to_owned())
        }
    }
}

impl Address {
    fn path(&self, action: &str) -> String {
        format!("/api/operations/parked/{}{action}", self.0)
    }
}

/// Does one thing and prints what became of it.
pub(crate) async fn run(ParkedFlags { command, url, json }: ParkedFlags) -> anyhow::Result<()> {
    let desk = Desk::at(&url, json)?;
    match command {
        Command::List { service, cursor, limit } => {
            let service = service.map(|name| format!("&service={name}")).unwrap_or_default();
            let path = format!("/api/operations/parked?limit={limit}{service}{}", after(cursor));
            desk.tell::<ParkedKeys>(desk.get(&path), show::keys).await
        }
        Command::Kinds => desk.tell::<ParkedKinds>(desk.get("/api/operations/parked/kinds"), show::kinds).await,
        Command::Show { message } => desk.tell::<ParkedDetail>(desk.get(&message.path("")), show::detail).await,
        Command::Edit { message, body, reason } => {
            let payload = read_body(&body)?;
            let call = desk.post_json(&message.path("/edit"), &EditParked { payload, reason });
            desk.tell::<Mended>(call, |_| {
                println!("It has the new body. Rehearse it: tramline parked dry-run {}", message.0)
            })
            .await
        }
        Command::DryRun { message, reason } => {
            let call = desk.post_json(&message.path("/dry-run"), &MendParked { reason });
            let rehearsal: Rehearsal = desk.told(call, show::rehearsal).await?;
            ensure!(rehearsal.handled, "the message would not be handled");
            Ok(())
        }
        Command::Retry { message, reason } => {
            let call = desk.post_json(&message.path("/retry"), &MendParked { reason });
            let mended: Mended = desk.told(call, show::mended).await?;
            ensure!(mended.failed.is_none(), "a message failed again");
            Ok(())
        }
        Command::Skip { message, reason } => {
            let call = desk.post_json(&message.path("/skip"), &SkipParked { reason });
            desk.tell::<Mended>(call, show::skipped).await
        }
        Command::Audit { cursor, limit } => {
            let path = format!("/api/operations/audit?limit={limit}{}", after(cursor));
            desk.tell::<AuditPage>(desk.get(&path), show::audit).await
        }
    }
}

fn read_body(file: &Path) -> anyhow::Result<serde_json::Value> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(BODY_MAX_BYTES).read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
        opened
            .take(BODY_MAX_BYTES)
            .read_to_string(&mut text)
            .with_context(|| format!("{} cannot be read", file.display()))?;
    }
    serde_json::from_str(&text).context("the new body is not JSON of at most 64 KiB")
}
