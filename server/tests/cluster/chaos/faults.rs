//! Does what the schedule says, to real processes and servers.

use super::schedule::{Fault, Part, Planned};
use crate::fleet::Fleet;
use std::time::Duration;
use tramline_testing::{Disk, Stopwatch, psql};

/// Between two looks whether a process gave up at its start.
const TEND_EVERY: Duration = Duration::from_millis(100);
/// How long a process may take to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(15);

/// What is to be done at a moment: a fault begins, or is over.
struct Step<'p> {
    at_ms: u64,
    fault: &'p Fault,
    begins: bool,
}

/// Carries out a burst. When it returns, every fault is over, and processes may still be starting.
pub async fn carry_out(fleet: &mut Fleet, plan: &[Planned], clock: Stopwatch) {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for planned in plan {
        steps.push(Step { at_ms: planned.at_ms, fault: &planned.fault, begins: true });
        steps.push(Step { at_ms: planned.ends_ms(), fault: &planned.fault, begins: false });
    }
    // Stable: what lasts no time begins before it ends.
    steps.sort_by_key(|step| step.at_ms);
    let watch = Stopwatch::start();
    for Step { at_ms, fault, begins } in steps {
        loop {
            fleet.tend();
            let left = Duration::from_millis(at_ms).saturating_sub(watch.elapsed());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(TEND_EVERY)).await;
        }
        if begins {
            println!("    {:>8.2} s  {fault}", clock.elapsed().as_secs_f64());
            begin(fleet, fault).await;
        } else {
            end(fleet, fault).await;
        }
    }
}

async fn begin(fleet: &mut Fleet, fault: &Fault) {
    match fault {
        Fault::Kill { name, .. } => fleet.instance(name).kill(),
        Fault::Upgrade { name } => restart(fleet, name).await,
        Fault::SwitchRelay { name } => {
            let instance = fleet.instance(name);
            instance.relay = instance.relay.other();
            restart(fleet, name).await;
        }
        Fault::StandStill { name, .. } => fleet.instance(name).stand_still(),
        Fault::FlushRedis => fleet.redis.flushall().await,
        Fault::RestartRedis { empty, .. } => {
            if *empty {
                fleet.redis.flushall().await;
            }
            fleet.redis.stop();
        }
        Fault::DelayRedis { for_ms } => {
            assert_eq!(fleet.redis.ask(&["CLIENT", "PAUSE", &for_ms.to_string(), "ALL"]).await, "OK");
        }
        Fault::LosePart { partition, part } => lose(fleet, *partition, *part).await,
        Fault::RestartPostgres => tokio::task::block_in_place(|| fleet.postgres.restart(Disk::Synced)),
        Fault::DropSlot { service } => drop_slot(&fleet.database, service),
    }
}

async fn end(fleet: &mut Fleet, fault: &Fault) {
    match fault {
        Fault::Kill { name, .. } => fleet.instance(name).start(),
        Fault::StandStill { name, .. } => fleet.instance(name).go_on(),
        Fault::RestartRedis { .. } => fleet.redis.restart().await,
        Fault::Upgrade { .. }
        | Fault::SwitchRelay { .. }
        | Fault::FlushRedis
        | Fault::DelayRedis { .. }
        | Fault::LosePart { .. }
        | Fault::RestartPostgres
        | Fault::DropSlot { .. } => {}
    }
}

/// SIGTERM, the end, and a start.
async fn restart(fleet: &mut Fleet, name: &str) {
    fleet.instance(name).terminate();
    let watch = Stopwatch::start();
    while !fleet.instance(name).has_ended() {
        assert!(watch.elapsed() < END_MAX, "{name} was asked to end and does not");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fleet.instance(name).start();
}

/// Takes keys of the broker away.
async fn lose(fleet: &Fleet, partition: u16, part: Part) {
    let kinds: &[&str] = match part {
        Part::Log | Part::NewerHalf => &["log"],
        Part::State => &["state"],
        Part::Everything => &["log", "state", "groups"],
    };
    let act = match part {
        Part::NewerHalf => {
            "for _, entry in ipairs(redis.call('XREVRANGE', key, '+', '-', 'COUNT', \
             math.ceil(redis.call('XLEN', key) / 2))) do redis.call('XDEL', key, entry[1]) end"
        }
        Part::Log | Part::State | Part::Everything => "redis.call('DEL', key)",
    };
    let script = format!("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do {act} end return 'OK'");
    for kind in kinds {
        let keys = format!("tramline:{{{partition}}}:*/*:{kind}");
        assert_eq!(fleet.redis.ask(&["EVAL", &script, "0", &keys]).await, "OK");
    }
}

/// Ends the session that holds the slot, and drops the slot before it is taken again; where there is none, nothing happens.
fn drop_slot(database: &str, service: &str) {
    let like = format!("tramline_{service}_%");
    let text = format!(
        "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name like '{like}' and active; \
         select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name like '{like}' and not active"
    );
    // It fails when a process was faster to take the slot again; then it has lost its session at least.
    let _ = psql(database, &text);
}
