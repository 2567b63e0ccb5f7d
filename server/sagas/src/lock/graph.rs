//! Who waits for whom: pure, and knows nothing of where locks are kept.

use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A wait-for graph: an edge leads from a saga to one that it waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitGraph(BTreeMap<Uuid, BTreeSet<Uuid>>);

impl FromIterator<(Uuid, Uuid)> for WaitGraph {
    fn from_iter<I: IntoIterator<Item = (Uuid, Uuid)>>(edges: I) -> Self {
        let mut graph = Self::default();
        for (waiter, holder) in edges {
            graph.0.entry(waiter).or_default().insert(holder);
        }
        graph
    }
}

impl WaitGraph {
    /// The shortest chain of sagas by which `saga` waits for itself, beginning with it: a deadlock. `None` when it does not.
    #[must_use]
    pub fn cycle_through(&self, saga: Uuid) -> Option<Vec<Uuid>> {
        // By breadth: the first way back that is found is the shortest, and each saga is looked at once.
        let mut reached_from: BTreeMap<Uuid, Uuid> = BTreeMap::new();
        let mut edge = vec![saga];
        while !edge.is_empty() {
            let mut beyond = Vec::new();
            for from in edge {
                for to in self.0.get(&from).into_iter().flatten() {
                    if *to == saga {
                        return Some(way(&reached_from, saga, from));
                    }
                    if !reached_from.contains_key(to) {
                        reached_from.insert(*to, from);
                        beyond.push(*to);
                    }
                }
            }
            edge = beyond;
        }
        None
    }
}

/// From `saga` to `last`, by how each was reached.
fn way(reached_from: &BTreeMap<Uuid, Uuid>, saga: Uuid, last: Uuid) -> Vec<Uuid> {
    let mut way = vec![last];
    let mut at = last;
    while at != saga {
        let Some(before) = reached_from.get(&at) else { break };
        at = *before;
        way.push(at);
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(edges: &[(u128, u128)]) -> WaitGraph {
        edges.iter().map(|(from, to)| (Uuid::from_u128(*from), Uuid::from_u128(*to))).collect()
    }

    /// Whether one can come from `from` to `to`, found by closing the relation: slow and plain.
    fn reaches(edges: &[(u128, u128)], from: u128, to: u128) -> bool {
        let mut reached: BTreeSet<u128> = edges.iter().filter(|edge| edge.0 == from).map(|edge| edge.1).collect();
        for _ in 0..edges.len() {
            let more: Vec<u128> = edges.iter().filter(|edge| reached.contains(&edge.0)).map(|edge| edge.1).collect();
            reached.extend(more);
        }
        reached.contains(&to)
    }

    proptest! {
        #[test]
        fn a_cycle_is_found_exactly_when_a_saga_reaches_itself(
            edges in prop::collection::vec((0..6_u128, 0..6_u128), 0..14), saga in 0..6_u128,
        ) {
            let found = graph(&edges).cycle_through(Uuid::from_u128(saga));
            prop_assert_eq!(found.is_some(), reaches(&edges, saga, saga));
        }

        #[test]
        fn what_is_found_is_a_chain_of_waits_that_begins_and_ends_at_the_saga(
            edges in prop::collection::vec((0..6_u128, 0..6_u128), 0..14), saga in 0..6_u128,
        ) {
            if let Some(cycle) = graph(&edges).cycle_through(Uuid::from_u128(saga)) {
                let chain: Vec<u128> = cycle.iter().map(Uuid::as_u128).chain([saga]).collect();
                prop_assert_eq!(chain[0], saga);
                for link in chain.windows(2) {
                    prop_assert!(edges.contains(&(link[0], link[1])), "{:?} is no wait", link);
                }
                prop_assert_eq!(cycle.iter().collect::<BTreeSet<_>>().len(), cycle.len(), "nobody comes twice");
            }
        }

        #[test]
        fn sagas_that_lock_in_one_agreed_sequence_never_wait_in_a_circle(
            edges in prop::collection::vec((0..8_u128, 0..8_u128), 0..20),
        ) {
            let upwards: Vec<_> = edges.into_iter().filter(|(from, to)| from < to).collect();
            for saga in 0..8 {
                prop_assert_eq!(graph(&upwards).cycle_through(Uuid::from_u128(saga)), None);
            }
        }
    }
}
