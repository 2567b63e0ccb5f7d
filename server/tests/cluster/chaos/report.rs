//! What a run has seen, for whoever reads its output.

use super::schedule::Planned;
use crate::operations::Operation;
use std::{collections::BTreeMap, time::Duration};
use tramline_contract::OrderState;

/// Counts over all bursts so far.
#[derive(Debug, Default)]
pub struct Report {
    pub bursts: u64,
    faults: BTreeMap<&'static str, u64>,
    pub states: BTreeMap<&'static str, usize>,
    /// Commands by kind and answer.
    commands: BTreeMap<(&'static str, &'static str), u64>,
    tries: u64,
    /// From calm to the view that equals the truth, of each burst.
    caught_up: Vec<Duration>,
    /// The longest that a client waited for an answer.
    longest_answer: Duration,
    /// The longest that a judgement of the history took, without reading the databases.
    longest_judgement: Duration,
}

impl Report {
    pub fn plan(&mut self, plan: &[Planned]) {
        for planned in plan {
            *self.faults.entry(planned.fault.kind()).or_default() += 1;
        }
    }

    pub fn answered(&mut self, operations: &[Operation]) {
        for operation in operations {
            *self.commands.entry((operation.command.kind(), operation.outcome())).or_default() += 1;
            self.tries += u64::from(operation.tries);
            self.longest_answer = self.longest_answer.max(operation.answered - operation.invoked);
        }
    }

    pub fn judged(&mut self, within: Duration) {
        self.longest_judgement = self.longest_judgement.max(within);
    }

    pub fn caught_up(&mut self, after: Duration) {
        self.caught_up.push(after);
    }

    pub fn states(&mut self, states: impl Iterator<Item = OrderState>) {
        self.states.clear();
        for state in states {
            *self.states.entry(state.as_str()).or_default() += 1;
        }
    }

    pub fn print(&self, ran: Duration) {
        let total: u64 = self.faults.values().sum();
        println!("\n{} bursts, {total} faults in {:.0} s", self.bursts, ran.as_secs_f64());
        for (kind, count) in &self.faults {
            println!("  {kind:<34}{count:>6}");
        }
        println!("commands");
        for ((kind, outcome), count) in &self.commands {
            println!("  {:<34}{count:>6}", format!("{kind}: {outcome}"));
        }
        println!("orders");
        for (state, count) in &self.states {
            println!("  {state:<34}{count:>6}");
        }
        println!("requests sent for commands          {:>6}", self.tries);
        println!("longest wait for an answer          {:>6} ms", self.longest_answer.as_millis());
        println!("longest judgement of the history    {:>6} ms", self.longest_judgement.as_millis());
        let mut sorted = self.caught_up.clone();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1)));
        for (name, share) in [("median", 50), ("95 %", 95), ("longest", 100)] {
            let time = at(share).copied().unwrap_or_default();
            println!("calm to view = truth, {name:<12}  {:>6} ms", time.as_millis());
        }
    }
}
