//! What tells that a view has missed an event: a version that is not the next one. Pure.
//!
//! All events of one aggregate travel in one stream, in order, and the view consumes every one of them that has a version. So
//! whatever comes twice or late is an older version than the view has, and a version that is left out was lost. What an owner
//! exports is no event, and may be of any version.

use std::{collections::HashMap, fmt};
use tramline_contract::{CustomerId, OrderId};

/// Whatever the view has a document of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggregate {
    /// A customer.
    Customer(CustomerId),
    /// An order.
    Order(OrderId),
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer {id}"),
            Self::Order(id) => write!(f, "order {id}"),
        }
    }
}

/// Events of an aggregate that the view has not heard of, although later ones came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Whose.
    pub aggregate: Aggregate,
    /// The version that the view had; 0 for none.
    pub from: i64,
    /// The version that it has since. Some between the two were lost.
    pub to: i64,
}

/// Of each aggregate, the version that a view must have at least so that these events follow it without a gap: the one before the
/// unbroken run that ends with the newest. The events may come in any order and repeat.
pub(crate) fn needs(mut heard: Vec<(Aggregate, i64)>) -> HashMap<Aggregate, i64> {
    heard.sort_unstable();
    let mut needs = HashMap::new();
    let mut last = None;
    for (aggregate, version) in heard {
        let follows = last.is_some_and(|(of, at)| of == aggregate && version <= at + 1);
        if !follows {
            needs.insert(aggregate, version - 1);
        }
        last = Some((aggregate, version));
    }
    needs
}

/// Whether a view that has `known` and is told `to` was not told something between them.
pub(crate) fn jump(aggregate: Aggregate, known: Option<i64>, needs: i64, to: i64) -> Option<Jump> {
    let from = known.unwrap_or(0);
    (from < needs).then_some(Jump { aggregate, from, to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const ORDER: Aggregate = Aggregate::Order(OrderId(Uuid::from_u128(1)));

    fn judged(known: Option<i64>, heard: &[i64]) -> Option<Jump> {
        let needs = needs(heard.iter().map(|version| (ORDER, *version)).collect());
        jump(ORDER, known, needs[&ORDER], *heard.iter().max().expect("there is one"))
    }

    #[test]
    fn the_next_version_a_late_one_and_a_repeated_one_are_no_jumps() {
        for (known, heard) in
            [(None, &[1][..]), (Some(1), &[2]), (Some(5), &[2]), (Some(5), &[5]), (Some(1), &[3, 2, 3, 2, 1])]
        {
            assert_eq!(judged(known, heard), None, "{known:?}, {heard:?}");
        }
    }

    #[test]
    fn a_version_that_was_left_out_is_a_jump() {
        let jump = |from, to| Some(Jump { aggregate: ORDER, from, to });
        assert_eq!(judged(None, &[2]), jump(0, 2));
        assert_eq!(judged(Some(1), &[3]), jump(1, 3));
        assert_eq!(judged(Some(2), &[5, 3]), jump(2, 5), "4 is missing within the batch");
        assert_eq!(judged(Some(4), &[5, 3]), None, "it was heard of before");
    }

    proptest! {
        #[test]
        fn a_jump_is_told_exactly_when_a_version_was_never_heard_of(
            known in 0_i64..8,
            heard in prop::collection::vec(1_i64..12, 1..8),
        ) {
            let to = *heard.iter().max().expect("there is one");
            let missing = (known + 1..=to).any(|version| !heard.contains(&version));
            prop_assert_eq!(judged((known > 0).then_some(known), &heard).is_some(), missing);
        }

        #[test]
        fn aggregates_are_judged_apart(
            heard in prop::collection::vec((0_u128..3, 1_i64..6), 1..20),
        ) {
            let order = |number| Aggregate::Order(OrderId(Uuid::from_u128(number)));
            let together = needs(heard.iter().map(|(number, version)| (order(*number), *version)).collect());
            for number in 0..3 {
                let alone: Vec<_> = heard.iter().filter(|(of, _)| *of == number).map(|(_, v)| (order(number), *v)).collect();
                let alone = needs(alone);
                prop_assert_eq!(alone.get(&order(number)), together.get(&order(number)));
            }
        }
    }
}
