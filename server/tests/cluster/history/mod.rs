//! Holds what clients were told against what the databases say: a checker of histories. [`judge`] is pure.

mod accounts;
mod claims;
mod credit;
mod facts;
mod orders;
mod precedence;
#[cfg(test)]
mod tests;

use crate::operations::Operation;
pub use facts::{Databases, Facts};

/// Of one kind of violation; the first few tell what is wrong.
const SHOWN_MAX: usize = 5;

/// Everything that is wrong; nothing when the desk has kept its word.
pub fn judge(facts: &Facts, history: &[Operation]) -> Vec<String> {
    let promises = [
        facts.wrong.clone(),
        orders::are_there_as_placed(facts, history),
        orders::live_as_orders_do(facts),
        orders::run_their_sagas(facts),
        orders::tell_their_customers(facts),
        claims::every_answer_holds(facts, history),
        claims::nothing_happens_unasked(facts, history),
        accounts::add_up(facts),
        accounts::take_each_payment_and_limit(facts, history),
        credit::is_held_for_approved_orders(facts),
        credit::is_decided_in_order(facts),
        credit::is_answered_once(facts),
        precedence::of_versions(history),
        precedence::of_credit(facts, history),
    ];
    promises.into_iter().flat_map(|found| found.into_iter().take(SHOWN_MAX)).collect()
}
