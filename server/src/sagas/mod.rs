//! `tramline sagas`: looks at sagas of a running server, and has those that are stuck tried again, through its API.
//!
//! It decides nothing: what may be done, the server says. Only `verify` reads a database, since the program that it asks about is
//! this one, and not the one that serves.

mod show;
mod verify;

use crate::{
    cli::StoreFlags,
    desk::{Desk, after},
};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tramline_contract::{Page, RetrySaga, Saga, SagaDetail, SagaId};

/// Where a saga can stand, as the API names it.
const STATES: [&str; 5] = ["RUNNING", "COMPENSATING", "COMPLETED", "ROLLED_BACK", "PARKED"];

/// What `sagas` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct SagaFlags {
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
    /// List sagas, newest first
    List {
        /// Only in this state
        #[arg(long, value_name = "STATE", ignore_case = true, value_parser = state())]
        state: Option<String>,
        /// Only of this definition, such as CreateOrder
        #[arg(long = "type", value_name = "NAME", value_parser = word)]
        kind: Option<String>,
        #[command(flatten)]
        page: ListFlags,
    },
    /// Show a saga: its steps, and its messages in causal order
    Show {
        /// The saga, as the lists name it
        id: SagaId,
    },
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
pub(crate) async fn run(SagaFlags { command, url, json }: SagaFlags) -> anyhow::Result<()> {
    let desk = Desk::at(&url, json)?;
    match command {
        Command::List { state, kind, page } => {
            let state = state.map(|state| format!("state={state}&")).unwrap_or_default();
            let kind = kind.map(|kind| format!("type={kind}&")).unwrap_or_default();
            list(&desk, &format!("/api/sagas?{state}{kind}"), page).await
        }
        Command::Show { id } => desk.tell::<SagaDetail>(desk.get(&format!("/api/sagas/{id}")), show::detail).await,
        Command::Overdue(page) => list(&desk, "/api/operations/sagas/overdue?", page).await,
        Command::Parked(page) => list(&desk, "/api/sagas?state=PARKED&", page).await,
        Command::Retry { id, operator, reason } => {
            let wish = RetrySaga { operator, reason };
            let call = desk.post_json(&format!("/api/operations/sagas/{id}/retry"), &wish);
            desk.tell::<Saga>(call, |saga| show::sagas(std::slice::from_ref(saga))).await
        }
        Command::Verify(stores) => verify::run(*stores).await,
    }
}

async fn list(desk: &Desk, path: &str, ListFlags { cursor, limit }: ListFlags) -> anyhow::Result<()> {
    desk.tell::<Page<Saga>>(desk.get(&format!("{path}limit={limit}{}", after(cursor))), show::page).await
}

/// Reads a state in any case.
fn state() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(STATES).map(|state| state.to_uppercase())
}

/// Reads a name that is one word, so that it needs no escapes in an address.
fn word(text: &str) -> Result<String, String> {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    is_word.then(|| text.to_owned()).ok_or_else(|| "must be a word such as CreateOrder".to_owned())
}
