//! `tramline sagas`: looks at sagas of a running server that are overdue or stuck, and has them tried again, through its API.
//!
//! It decides nothing: what may be done, the server says. Only `verify` reads a database, since the program that it asks about is
//! this one, and not the one that serves.

mod verify;

use crate::cli::StoreFlags;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use tramline_contract::{Page, RetrySaga, Saga, SagaId};
use tramline_http::ServiceClient;

/// What `sagas` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct SagaFlags {
    #[command(subcommand)]
    command: Command,
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000", global = true)]
    url: String,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List sagas whose command went out again because no answer came, oldest first
    Overdue(ListFlags),
    /// List sagas that are stuck and wait for a person, newest first
    Parked(ListFlags),
    /// Have a stuck saga try its step again, once the cause is mended
    Retry {
        /// The saga, as the lists name it
        id: SagaId,
        /// Who wants it, for the saga's log
        #[arg(long, value_name = "NAME")]
        operator: String,
        /// Why it will work now, for the saga's log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Hold every saga that is under way against the definitions of this program; exits with an error when it could not resume one
    Verify(Box<StoreFlags>),
}

#[derive(Clone, Debug, Args)]
struct ListFlags {
    /// Where the list goes on, as the page before has said
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

/// Runs the command.
pub(crate) async fn run(flags: SagaFlags) -> anyhow::Result<()> {
    let server = ServiceClient::remote("the server", &flags.url);
    let server = server.context("--url must look like http://127.0.0.1:3000")?;
    match flags.command {
        Command::Verify(stores) => verify::run(*stores).await,
        Command::Overdue(list) => show(&server, "/api/operations/sagas/overdue?", &list).await,
        Command::Parked(list) => show(&server, "/api/sagas?state=PARKED&", &list).await,
        Command::Retry { id, operator, reason } => {
            let wish = RetrySaga { operator, reason };
            let call = server.post_json(&format!("/api/operations/sagas/{id}/retry"), &wish);
            let saga: Saga = call.send().await?.granted()?.json()?;
            println!("{}", line(&saga));
            Ok(())
        }
    }
}

async fn show(server: &ServiceClient, path: &str, list: &ListFlags) -> anyhow::Result<()> {
    let cursor = list.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let call = server.get(&format!("{path}limit={}{cursor}", list.limit));
    let page: Page<Saga> = call.send().await?.granted()?.json()?;
    if page.items.is_empty() {
        println!("none");
    }
    for saga in &page.items {
        println!("{}", line(saga));
    }
    if let Some(cursor) = page.next_cursor {
        println!("more: --cursor {cursor}");
    }
    Ok(())
}

fn line(saga: &Saga) -> String {
    let again = match (&saga.due_at, saga.resent) {
        (Some(due), resent) if resent > 0 => format!("  asked again {resent} times, next at {}", due.0),
        _ => String::new(),
    };
    let state = match serde_json::to_value(saga.state) {
        Ok(serde_json::Value::String(state)) => state,
        _ => String::new(),
    };
    format!("{}  {:<14} {:<12} since {}{again}", saga.id, saga.kind, state, saga.started_at.0)
}
