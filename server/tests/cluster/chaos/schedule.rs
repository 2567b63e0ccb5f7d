//! What is done to the desk, and when: drawn from a seed, without a look at the desk. Pure.

use rand::{RngExt as _, rngs::StdRng};
use std::{collections::HashMap, fmt};

/// Between two faults of a burst.
const GAP_MS: std::ops::Range<u64> = 100..1_600;
/// Faults of a burst.
const FAULTS: std::ops::Range<usize> = 5..11;
/// A standstill that an owner's lease bears (three seconds), and one that it does not.
const SHORT_MS: std::ops::Range<u64> = 100..2_200;
const LONG_MS: std::ops::Range<u64> = 3_300..6_000;
const DOWN_MS: std::ops::Range<u64> = 0..2_500;
const DELAY_MS: std::ops::Range<u64> = 200..2_500;
/// How many partitions there are.
pub const PARTITIONS: u16 = 16;

/// Something that happens to machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, and a start after a while.
    Kill { name: String, down_ms: u64 },
    /// SIGTERM and a start, as at an upgrade.
    Upgrade { name: String },
    /// SIGTERM and a start with the other relay.
    SwitchRelay { name: String },
    /// SIGSTOP, and SIGCONT after a while: an owner that comes back, before or after its lease, or a relay that is late.
    StandStill { name: String, for_ms: u64 },
    /// FLUSHALL.
    FlushRedis,
    /// Redis dies, and comes back after a while with its file or without.
    RestartRedis { empty: bool, down_ms: u64 },
    /// Redis answers nobody for a while: every delivery is late.
    DelayRedis { for_ms: u64 },
    /// Redis loses a part of a partition's streams: their messages are published, and delivered, again.
    LosePart { partition: u16, part: Part },
    /// PostgreSQL is killed and recovers from its log.
    RestartPostgres,
    /// The session on a service's replication slot is ended and the slot dropped.
    DropSlot { service: &'static str },
}

/// Keys of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The records.
    Log,
    /// What was published and by whom.
    State,
    /// Both, and what groups have said.
    Everything,
    /// The newer half of the records, as after a restart from an older file.
    NewerHalf,
}

impl Fault {
    /// The kind, for counts.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill -9",
            Self::Upgrade { .. } => "graceful restart",
            Self::SwitchRelay { .. } => "relay switched",
            Self::StandStill { for_ms, .. } if *for_ms < LONG_MS.start => "standstill within the lease",
            Self::StandStill { .. } => "standstill beyond the lease",
            Self::FlushRedis => "Redis flushed",
            Self::RestartRedis { empty: true, .. } => "Redis killed, back empty",
            Self::RestartRedis { empty: false, .. } => "Redis killed, back with its file",
            Self::DelayRedis { .. } => "Redis silent",
            Self::LosePart { .. } => "part of a stream lost",
            Self::RestartPostgres => "PostgreSQL killed",
            Self::DropSlot { .. } => "replication slot dropped",
        }
    }

    /// How long it lasts.
    const fn lasts_ms(&self) -> u64 {
        match self {
            Self::Kill { down_ms, .. } | Self::RestartRedis { down_ms, .. } => *down_ms,
            Self::StandStill { for_ms, .. } | Self::DelayRedis { for_ms } => *for_ms,
            _ => 0,
        }
    }

    /// What must be left alone while it lasts: a process, or Redis.
    fn target(&self) -> Option<&str> {
        match self {
            Self::Kill { name, .. }
            | Self::Upgrade { name }
            | Self::SwitchRelay { name }
            | Self::StandStill { name, .. } => Some(name),
            Self::FlushRedis | Self::RestartRedis { .. } | Self::DelayRedis { .. } | Self::LosePart { .. } => {
                Some("redis")
            }
            Self::RestartPostgres | Self::DropSlot { .. } => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { name, down_ms } => write!(f, "kill -9 {name}, back after {down_ms} ms"),
            Self::Upgrade { name } => write!(f, "restart {name}"),
            Self::SwitchRelay { name } => write!(f, "restart {name} with the other relay"),
            Self::StandStill { name, for_ms } => write!(f, "{name} stands still for {for_ms} ms"),
            Self::FlushRedis => write!(f, "FLUSHALL"),
            Self::RestartRedis { empty, down_ms } => {
                write!(f, "kill Redis, back after {down_ms} ms {}", if *empty { "empty" } else { "with its file" })
            }
            Self::DelayRedis { for_ms } => write!(f, "Redis answers nobody for {for_ms} ms"),
            Self::LosePart { partition, part } => write!(f, "Redis loses {part:?} of partition {partition}"),
            Self::RestartPostgres => write!(f, "kill PostgreSQL"),
            Self::DropSlot { service } => write!(f, "drop the slot of {service}"),
        }
    }
}

/// A fault at its time in the burst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub at_ms: u64,
    pub fault: Fault,
}

impl Planned {
    /// When it is over.
    pub const fn ends_ms(&self) -> u64 {
        self.at_ms + self.fault.lasts_ms()
    }
}

/// Draws the faults of a burst. Several may last at once, but no two on the same process or on Redis.
pub fn burst(random: &mut StdRng, processes: &[String]) -> Vec<Planned> {
    let mut busy: HashMap<String, u64> = HashMap::new();
    let mut plan = Vec::new();
    let mut at_ms = 0;
    for _ in 0..random.random_range(FAULTS) {
        at_ms += random.random_range(GAP_MS);
        let fault = draw(random, processes);
        let free_at = fault.target().and_then(|target| busy.get(target)).copied().unwrap_or_default();
        // Somebody who is down already is left to come back first.
        at_ms = at_ms.max(free_at);
        if let Some(target) = fault.target() {
            busy.insert(target.to_owned(), at_ms + fault.lasts_ms() + 1);
        }
        plan.push(Planned { at_ms, fault });
    }
    plan
}

fn draw(random: &mut StdRng, processes: &[String]) -> Fault {
    let any = |random: &mut StdRng| processes[random.random_range(0..processes.len())].clone();
    let owner = |random: &mut StdRng| {
        let owners: Vec<_> = processes.iter().filter(|name| !name.starts_with("gateway")).collect();
        owners[random.random_range(0..owners.len())].clone()
    };
    match random.random_range(0..100) {
        0..26 => Fault::Kill { name: any(random), down_ms: random.random_range(DOWN_MS) },
        26..34 => Fault::Upgrade { name: any(random) },
        34..42 => Fault::SwitchRelay { name: owner(random) },
        42..50 => Fault::StandStill { name: any(random), for_ms: random.random_range(SHORT_MS) },
        50..64 => Fault::StandStill { name: owner(random), for_ms: random.random_range(LONG_MS) },
        64..70 => Fault::FlushRedis,
        70..78 => Fault::RestartRedis { empty: random.random_ratio(1, 2), down_ms: random.random_range(DOWN_MS) },
        78..83 => Fault::DelayRedis { for_ms: random.random_range(DELAY_MS) },
        83..91 => {
            let parts = [Part::Log, Part::State, Part::Everything, Part::NewerHalf];
            let part = parts[random.random_range(0..parts.len())];
            Fault::LosePart { partition: random.random_range(0..PARTITIONS), part }
        }
        91..95 => Fault::RestartPostgres,
        _ => Fault::DropSlot { service: if random.random_ratio(1, 2) { "customers" } else { "orders" } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn processes() -> Vec<String> {
        ["customers-1", "orders-1", "orders-2", "gateway-1"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_same_seed_draws_the_same_burst() {
        let draw = |seed| burst(&mut StdRng::seed_from_u64(seed), &processes());
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn nothing_happens_to_who_is_down_already() {
        for seed in 0..200 {
            let plan = burst(&mut StdRng::seed_from_u64(seed), &processes());
            assert!(plan.is_sorted_by_key(|planned| planned.at_ms));
            for (place, later) in plan.iter().enumerate() {
                let clash = plan[..place].iter().find(|earlier| {
                    earlier.fault.target().is_some()
                        && earlier.fault.target() == later.fault.target()
                        && earlier.ends_ms() >= later.at_ms
                });
                assert_eq!(clash, None, "{later:?}");
            }
        }
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let plan = burst(&mut StdRng::seed_from_u64(seed), &processes());
            kinds.extend(plan.into_iter().map(|planned| planned.fault.kind()));
        }
        assert_eq!(kinds.len(), 12, "{kinds:?}");
    }
}
