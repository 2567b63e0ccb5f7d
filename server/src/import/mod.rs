//! `tramline import`: brings customers, payments and orders from CSV files to a running server through its public API.
//!
//! Ids derive from the numbers in the files, and an id is its command's idempotency key. So a run that was cut off is
//! resumed by running it again, and a second run changes nothing.

mod ids;
pub(crate) mod progress;
mod rows;
#[cfg(test)]
mod rows_tests;
mod send;
mod settle;
mod summary;
mod table;
mod wire;

use anyhow::bail;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use std::{collections::HashSet, path::PathBuf};
use summary::Summary;
use tramline_contract::Coordination;
use wire::Wire;

/// What `import` takes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Ids derive from the numbers in the files: a second run changes nothing, and goes on where the first was cut off.
A row that cannot be taken is reported with its line and skipped, and so are the orders and \
payments of a customer that was skipped. \
When any row was skipped, the exit code is 1.")]
pub(crate) struct ImportFlags {
    /// CSV with the columns customer_number, name, credit_limit; others are ignored
    #[arg(long, value_name = "FILE")]
    customers: PathBuf,
    /// CSV with the columns order_number, order_date, customer_number, total; others are ignored
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// CSV with the columns customer_number, check_number, payment_date, amount; others are ignored
    #[arg(long, value_name = "FILE")]
    payments: Option<PathBuf>,
    /// Who leads the sagas of the orders: one orchestrator, or the services by each other's events. An order that was imported keeps
    /// its coordination
    #[arg(long, value_name = "WAY", default_value = "orchestration", value_parser = coordination())]
    coordination: Coordination,
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: String,
}

/// Reads everything, sends the customers, then payments and orders by their dates, then awaits what becomes of each order.
pub(crate) async fn run(flags: ImportFlags) -> anyhow::Result<()> {
    // All files first: a missing column should be known before anything is sent.
    let customers = rows::read_customers(&flags.customers)?;
    let mut orders = flags
        .orders
        .as_deref()
        .map(|path| rows::read_orders(path, flags.coordination))
        .transpose()?
        .unwrap_or_default();
    let mut payments = flags.payments.as_deref().map(rows::read_payments).transpose()?.unwrap_or_default();
    let mut summary = Summary::default();
    summary.skip(&customers.faults);
    summary.skip(&payments.faults);
    summary.skip(&orders.faults);

    let wire = Wire::connect(&flags.url).await?;
    let (sent, refused) = send::customers(&wire, &customers).await?;
    summary.customers = sent.tally;
    summary.skip(&sent.faults);
    let missing: HashSet<u64> = customers.skipped_numbers.union(&refused).copied().collect();
    summary.skip(&rows::hold_back(&mut payments, &missing));
    summary.skip(&rows::hold_back(&mut orders, &missing));
    let (paid, ordered) = send::by_date(&wire, &payments, &orders).await?;
    (summary.payments, summary.orders) = (paid.tally.new, ordered.tally);
    summary.skip(&paid.faults);
    summary.skip(&ordered.faults);
    summary.outcomes = settle::settle(&wire, &ordered.accepted).await?;

    print!("{summary}");
    match summary.skipped {
        0 => Ok(()),
        1 => bail!("one row was skipped"),
        skipped => bail!("{skipped} rows were skipped"),
    }
}

/// Reads a coordination by its name on the wire.
fn coordination() -> impl clap::builder::TypedValueParser<Value = Coordination> {
    let names = [Coordination::Orchestration, Coordination::Choreography].map(Coordination::as_str);
    PossibleValuesParser::new(names)
        .map(|name| Coordination::parse(&name).expect("only the names of coordinations pass"))
}
