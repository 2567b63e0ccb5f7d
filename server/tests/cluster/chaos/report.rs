//! What a run has seen, for whoever reads its output.

use super::schedule::Planned;
use crate::load::Placed;
use std::{collections::BTreeMap, time::Duration};
use tramline_contract::OrderState;

/// Counts over all bursts so far.
#[derive(Debug, Default)]
pub struct Report {
    pub bursts: u64,
    faults: BTreeMap<&'static str, u64>,
    pub states: BTreeMap<&'static str, usize>,
    placed: usize,
    tries: u64,
    /// From calm to the view that equals the truth, of each burst.
    caught_up: Vec<Duration>,
    /// The longest that a client waited for its acceptance.
    longest_acceptance: Duration,
}

impl Report {
    pub fn plan(&mut self, plan: &[Planned]) {
        for planned in plan {
            *self.faults.entry(planned.fault.kind()).or_default() += 1;
        }
    }

    pub fn placed(&mut self, placed: &[Placed]) {
        self.placed += placed.len();
        self.tries += placed.iter().map(|one| u64::from(one.tries)).sum::<u64>();
        let waits = placed.iter().filter_map(|one| Some(one.accepted? - one.invoked));
        self.longest_acceptance = waits.fold(self.longest_acceptance, Duration::max);
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
        println!("orders accepted, none lost          {:>6}", self.placed);
        for (state, count) in &self.states {
            println!("  {state:<34}{count:>6}");
        }
        println!("requests sent for them              {:>6}", self.tries);
        println!("longest wait for an acceptance      {:>6} ms", self.longest_acceptance.as_millis());
        let mut sorted = self.caught_up.clone();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1)));
        for (name, share) in [("median", 50), ("95 %", 95), ("longest", 100)] {
            let time = at(share).copied().unwrap_or_default();
            println!("calm to view = truth, {name:<12}  {:>6} ms", time.as_millis());
        }
    }
}
