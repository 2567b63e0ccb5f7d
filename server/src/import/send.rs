//! Sends the rows: different customers at the same time, and what belongs to one customer in sequence.

use super::{
    ids, progress,
    rows::{Dated as _, Day, OrderRow, PaymentRow},
    settle,
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
            let own = row.value.id.map(|id| format!("/api/customers/{id}"));
            Ok::<_, anyhow::Error>((row, post(wire, "/api/customers", own.as_deref(), &row.value).await?))
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

/// What is sent on a day.
enum Deed<'a> {
    Payment(&'a Row<PaymentRow>),
    Order(&'a Row<OrderRow>),
}

impl Deed<'_> {
    /// Payments come first within a day.
    const fn date(&self) -> (Day, u8) {
        match self {
            Self::Payment(row) => (row.value.day, 0),
            Self::Order(row) => (row.value.day, 1),
        }
    }

    fn customer_number(&self) -> u64 {
        match self {
            Self::Payment(row) => PaymentRow::customer_number(row),
            Self::Order(row) => OrderRow::customer_number(row),
        }
    }

    /// Sends it. `open` is the customer's last order that was accepted and not awaited.
    async fn send(&self, wire: &Wire, open: &mut Option<OrderId>) -> anyhow::Result<Answer> {
        match self {
            Self::Payment(row) => {
                // A payment counts at once and an order is decided later: it must not pay for what came before it.
                if let Some(before) = open.take() {
                    settle::settled(wire, before).await?;
                }
                let path = format!("/api/customers/{}/payments", ids::customer(row.number));
                post(wire, &path, None, &row.value.command).await
            }
            Self::Order(row) => {
                let own = row.value.command.id.map(|id| format!("/api/orders/{id}"));
                let answer = post(wire, "/api/orders", own.as_deref(), &row.value.command).await?;
                if !matches!(answer, Answer::Refused(_)) {
                    *open = row.value.command.id.or(*open);
                }
                Ok(answer)
            }
        }
    }
}

/// Sends payments and orders by their dates; each waits until the one before it of the same customer has its answer.
pub(super) async fn by_date(
    wire: &Wire,
    payments: &Table<PaymentRow>,
    orders: &Table<OrderRow>,
) -> anyhow::Result<(Sent, Sent)> {
    let mut deeds: Vec<_> = payments.rows.iter().map(Deed::Payment).collect();
    deeds.extend(orders.rows.iter().map(Deed::Order));
    deeds.sort_by_key(Deed::date);
    let bar = progress::bar("sending by date", deeds.len());
    let mut last: HashMap<u64, oneshot::Receiver<Option<OrderId>>> = HashMap::new();
    let mut answers = stream::iter(deeds)
        .map(|deed| {
            let (answered, next) = oneshot::channel();
            let before = last.insert(deed.customer_number(), next);
            async move {
                let mut open = None;
                if let Some(before) = before {
                    // Its sender only goes unsent when the import fails as a whole.
                    open = before.await?;
                }
                let answer = deed.send(wire, &mut open).await?;
                let _ = answered.send(open);
                Ok::<_, anyhow::Error>((deed, answer))
            }
        })
        .buffer_unordered(LANES);
    let (mut paid, mut ordered) = (Sent::default(), Sent::default());
    while let Some((deed, answer)) = answers.try_next().await? {
        bar.inc(1);
        match deed {
            Deed::Payment(row) => {
                paid.take(payments, row, answer);
            }
            Deed::Order(row) => {
                if ordered.take(orders, row, answer) {
                    ordered.accepted.extend(row.value.command.id);
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok((paid, ordered))
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
async fn post<T: Serialize>(wire: &Wire, path: &str, own_path: Option<&str>, command: &T) -> anyhow::Result<Answer> {
    let known = match own_path {
        Some(own_path) => wire.exists(own_path).await?,
        // It has no address of its own, so nobody can say.
        None => false,
    };
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
