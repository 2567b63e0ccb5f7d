//! What an import has done.

use super::table::Fault;
use std::{collections::BTreeMap, fmt};

/// Rows that the server has accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) new: u64,
    /// Accepted before and not changed.
    pub(super) known: u64,
}

/// The whole import.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) customers: Tally,
    /// Payments that the server has; it counts each once, however often it is sent, and does not say which came now.
    pub(super) payments: u64,
    pub(super) orders: Tally,
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) skipped: u64,
}

impl Summary {
    /// Reports rows that were skipped, one a line, and counts them.
    pub(super) fn skip(&mut self, faults: &[Fault]) {
        for fault in faults {
            eprintln!("{fault}");
        }
        self.skipped += faults.len() as u64;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Tally { new, known }) in [("customers", self.customers), ("orders", self.orders)] {
            writeln!(f, "{name:<34}{:>8} accepted, {new} new, {known} known before", new + known)?;
        }
        writeln!(f, "{:<34}{:>8} accepted", "payments", self.payments)?;
        for (outcome, count) in &self.outcomes {
            writeln!(f, "  {outcome:<32}{count:>8}")?;
        }
        writeln!(f, "{:<34}{:>8}", "rows skipped", self.skipped)
    }
}
