//! Sends the rows: different customers at the same time, and what belongs to one customer in sequence.

use super::{
    progress,
    rows::OrderRow,
    summary::Tally,
    table::{Fault, Row, Table},
    wire::Wire,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use tokio::sync::oneshot;
use tramline_contract::{CreateCustomer, OrderId, Problem};

/// Rows under way at once: enough to keep the server's commits full, far fewer than it takes on.
const LANES: usize = 8;

/// What became of the rows of a file.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) tally: Tally,
    pub(super) accepted: Vec<OrderId>,
    pub(super) faults: Vec<Fault>,
}

/// What became of one row.
enum Answer {
    New,
    /// The server knew it already, exactly so.
    Known,
    Refused(Box<Problem>),
}

/// Sends the customers. Also tells the numbers of those that were refused.
pub(super) async fn customers(wire: &Wire, table: &Table<CreateCustomer>) -> anyhow::Result<(Sent, HashSet<u64>)> {
    let bar = progress::bar("sending customers", table.rows.len());
    let mut answers = stream::iter(&table.rows)
        .map(|row| async move {
            let id = row.value.id.map(|id| format!("/api/customers/{id}")).unwrap_or_default();
            Ok::<_, anyhow::Error>((row, post(wire, "/api/customers", &id, &row.value).await?))
        })
        .buffer_unordered(LANES);
    let (mut sent, mut refused) = (Sent::default(), HashSet::new());
    while let Some((row, answer)) = answers.try_next().await? {
        bar.inc(1);
        if !sent.take(table, row, answer) {
            refused.insert(row.number);
        }
    }
    bar.finish_and_clear();
    Ok((sent, refused))
}

/// Sends the orders as they stand; an order waits until the one before it of the same customer has its answer.
pub(super) async fn orders(wire: &Wire, table: &Table<OrderRow>) -> anyhow::Result<Sent> {
    let bar = progress::bar("sending orders", table.rows.len());
    let mut last: HashMap<u64, oneshot::Receiver<()>> = HashMap::new();
    let mut answers = stream::iter(&table.rows)
        .map(|row| {
            let (answered, next) = oneshot::channel();
            let before = last.insert(row.value.customer_number, next);
            async move {
                if let Some(before) = before {
                    // Its sender only goes unsent when the import fails as a whole.
                    before.await?;
                }
                let id = row.value.command.id.map(|id| format!("/api/orders/{id}")).unwrap_or_default();
                let answer = post(wire, "/api/orders", &id, &row.value.command).await?;
                let _ = answered.send(());
                Ok::<_, anyhow::Error>((row, answer))
            }
        })
        .buffer_unordered(LANES);
    let mut sent = Sent::default();
    while let Some((row, answer)) = answers.try_next().await? {
        bar.inc(1);
        if sent.take(table, row, answer) {
            sent.accepted.extend(row.value.command.id);
        }
    }
    bar.finish_and_clear();
    Ok(sent)
}

impl Sent {
    /// Counts an answer. `false` means that the row was refused.
    fn take<T>(&mut self, table: &Table<T>, row: &Row<T>, answer: Answer) -> bool {
        match answer {
            Answer::New => self.tally.new += 1,
            Answer::Known => self.tally.known += 1,
            Answer::Refused(problem) => {
                self.faults.push(table.fault(row.line, refusal(&problem)));
                return false;
            }
        }
        true
    }
}

/// Looks whether the server has it, and sends it in any case: only the answer tells whether it is the same.
async fn post<T: Serialize>(wire: &Wire, path: &str, own_path: &str, command: &T) -> anyhow::Result<Answer> {
    let known = wire.exists(own_path).await?;
    Ok(match wire.send(path, command).await? {
        Ok(()) if known => Answer::Known,
        Ok(()) => Answer::New,
        Err(problem) => Answer::Refused(problem),
    })
}

fn refusal(problem: &Problem) -> String {
    match problem.code.as_str() {
        "idempotency-conflict" => "was imported before with other values".to_owned(),
        _ => format!("the server refuses it: {}", problem.detail),
    }
}
