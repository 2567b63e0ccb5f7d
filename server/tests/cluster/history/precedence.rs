//! What was answered before something else was even asked for comes before it, as in a linearizable history. Pure.

use super::facts::Facts;
use crate::operations::Operation;
use std::{collections::HashMap, time::Duration};
use uuid::Uuid;

/// The versions of each order and of each customer follow the order of the commands that made them.
pub fn of_versions(history: &[Operation]) -> Vec<String> {
    let mut lines: HashMap<Uuid, Vec<(i64, &Operation)>> = HashMap::new();
    for operation in history {
        if let Some((version, _)) = operation.accepted() {
            lines.entry(operation.command.about()).or_default().push((version, operation));
        }
    }
    let mut wrong = Vec::new();
    for line in lines.values_mut() {
        // A limit that stood already is answered with a version that another command has made.
        line.sort_by_key(|(version, operation)| (*version, operation.invoked));
        wrong.extend(overtaken(line.iter().map(|(_, operation)| *operation)));
    }
    wrong
}

/// A customer's credit is asked for in the order of the commands that began the sagas.
pub fn of_credit(facts: &Facts, history: &[Operation]) -> Vec<String> {
    let begun = history.iter().filter_map(|operation| Some((operation.accepted()?.1?, operation)));
    let begun: HashMap<Uuid, &Operation> = begun.collect();
    let lines = facts.commanded.values().chain(facts.told.values());
    lines.flat_map(|line| overtaken(line.iter().filter_map(|asked| begun.get(&asked.saga).copied()))).collect()
}

/// Which of these, in the order in which they took effect, was answered before an earlier one was asked for.
fn overtaken<'a>(line: impl Iterator<Item = &'a Operation>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut latest: Option<(Duration, &Operation)> = None;
    for operation in line {
        if let Some((invoked, before)) = latest
            && operation.answered < invoked
        {
            let (early, late) = (operation.command, before.command);
            wrong.push(format!("{early:?} was answered before {late:?} was asked for, and took effect after it"));
        }
        if latest.is_none_or(|(invoked, _)| operation.invoked > invoked) {
            latest = Some((operation.invoked, operation));
        }
    }
    wrong
}
