//! How slots are shared out. Pure.

use crate::ownership::Appetite;
use std::collections::HashSet;
use uuid::Uuid;

/// A lease as a process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) slot: u16,
    pub(crate) owner: Uuid,
    pub(crate) epoch: i64,
    /// Its time is over.
    pub(crate) free: bool,
}

/// What a process does about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Slots to hold until the next round, each with its epoch.
    pub(crate) keep: Vec<(u16, i64)>,
    /// Slots that others should have.
    pub(crate) give_up: Vec<u16>,
}

/// Keeps at most a fair share, gives up the rest, and takes free slots up to the share. A slot that changes hands gets the next
/// epoch; one whose time ran out but that nobody took keeps its own.
pub(crate) fn plan(slots: u16, me: Uuid, alive: &HashSet<Uuid>, seen: &[Seen], appetite: Appetite) -> Plan {
    let members = alive.len().max(1);
    let share = match appetite {
        Appetite::FairShare => usize::from(slots).div_ceil(members),
        Appetite::Everything => usize::from(slots),
    };
    let lease = |slot: u16| seen.iter().find(|lease| lease.slot == slot);
    let is_mine = |slot: &u16| lease(*slot).is_some_and(|lease| lease.owner == me);
    let can_take = |slot: &u16| {
        appetite == Appetite::Everything
            || lease(*slot).is_none_or(|lease| lease.free || !alive.contains(&lease.owner) && lease.owner != me)
    };
    let mine: Vec<u16> = (0..slots).filter(is_mine).collect();
    let give_up: Vec<u16> = mine.iter().copied().skip(share).collect();
    let mut keep: Vec<(u16, i64)> =
        mine.into_iter().take(share).map(|slot| (slot, lease(slot).map_or(1, |lease| lease.epoch))).collect();
    let free = (0..slots).filter(|slot| !is_mine(slot)).filter(can_take);
    let room = share.saturating_sub(keep.len());
    // Members look at different ends first, so that they do not all reach for the same slot.
    let start = usize::try_from(me.as_u128() % u128::from(slots.max(1))).unwrap_or(0);
    let mut free: Vec<u16> = free.collect();
    let middle = free.iter().position(|slot| usize::from(*slot) >= start).unwrap_or(0);
    free.rotate_left(middle);
    keep.extend(free.into_iter().take(room).map(|slot| (slot, lease(slot).map_or(1, |lease| lease.epoch + 1))));
    Plan { keep, give_up }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const SLOTS: u16 = 16;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// The table of leases, and one member's round on it.
    fn round(table: &mut BTreeMap<u16, Seen>, me: Uuid, alive: &HashSet<Uuid>) {
        let seen: Vec<_> = table.values().cloned().collect();
        let Plan { keep, give_up } = plan(SLOTS, me, alive, &seen, Appetite::FairShare);
        for slot in give_up {
            table.entry(slot).and_modify(|lease| lease.free = true);
        }
        for (slot, epoch) in keep {
            if let Some(before) = table.get(&slot).filter(|before| before.owner != me) {
                assert!(before.free || !alive.contains(&before.owner), "nobody loses what is held");
                assert!(epoch > before.epoch, "a new owner has a higher epoch");
            }
            table.insert(slot, Seen { slot, owner: me, epoch, free: false });
        }
    }

    proptest! {
        #[test]
        fn members_come_to_fair_shares_whoever_comes_and_goes(steps in prop::collection::vec((1_u128..6, any::<bool>()), 1..30)) {
            let (mut table, mut alive) = (BTreeMap::new(), HashSet::from([id(9)]));
            for (member, comes) in steps {
                if comes { alive.insert(id(member)); } else { alive.remove(&id(member)); }
                for _ in 0..3 {
                    for me in alive.iter().copied().collect::<Vec<_>>() {
                        round(&mut table, me, &alive);
                    }
                }
                prop_assert_eq!(table.len(), usize::from(SLOTS));
                for me in &alive {
                    let held = table.values().filter(|lease| lease.owner == *me && !lease.free).count();
                    prop_assert!(held <= usize::from(SLOTS).div_ceil(alive.len()));
                }
                prop_assert!(table.values().all(|lease| !lease.free && alive.contains(&lease.owner)));
            }
        }
    }

    #[test]
    fn an_owner_whose_time_ran_out_unnoticed_goes_on_with_its_epoch() {
        let seen = [Seen { slot: 0, owner: id(1), epoch: 7, free: true }];
        let plan = plan(1, id(1), &HashSet::from([id(1)]), &seen, Appetite::FairShare);
        assert_eq!(plan.keep, [(0, 7)]);
    }

    #[test]
    fn one_who_wants_everything_takes_it_from_its_holder() {
        let seen = [Seen { slot: 0, owner: id(1), epoch: 7, free: false }];
        let plan = plan(1, id(2), &HashSet::from([id(1), id(2)]), &seen, Appetite::Everything);
        assert_eq!(plan.keep, [(0, 8)]);
    }
}
