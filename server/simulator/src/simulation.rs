//! One run: chance decides who acts next, and after every commit the world is asked whether all is well.

use crate::{
    Group, Stage, World,
    carrier::Carrier,
    roles::{ConsumerRole, INSTANCES, RelayRole, Seat},
    stage::InWords,
    witness::Witness,
};
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use tramline_db::{CommitFate, DbError};
use tramline_messaging::Messaging;

/// How often each rare state was reached.
pub(crate) type Seen = BTreeMap<&'static str, u64>;

/// A violation ends the run.
#[derive(Debug)]
pub(crate) struct Violation(pub(crate) String);

impl From<DbError> for Violation {
    fn from(error: DbError) -> Self {
        Self(format!("a database failed by itself: {error:?}"))
    }
}

/// A service, its processes and the leases that they share.
pub(crate) struct Service {
    pub(crate) messaging: Messaging,
    pub(crate) seat: Seat,
    pub(crate) relays: Vec<RelayRole>,
    /// Whether anybody reads what it sends.
    pub(crate) is_heard: bool,
}

/// A group, its consumers and the lease that they share.
pub(crate) struct Reader {
    pub(crate) group: Group,
    /// Whose processes its consumers run in.
    pub(crate) service: usize,
    pub(crate) seat: Seat,
    pub(crate) consumers: Vec<ConsumerRole>,
}

/// How a client's request stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Unanswered,
    Answered,
}

/// A run in progress.
pub(crate) struct Simulation<W> {
    pub(crate) stage: Stage,
    pub(crate) world: W,
    pub(crate) carrier: Carrier,
    pub(crate) services: Vec<Service>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) requests: Vec<Asked>,
    pub(crate) seen: Seen,
    pub(crate) trace: Option<Vec<String>>,
    witness: Witness,
    checked_at: u64,
}

impl<W: World> Simulation<W> {
    pub(crate) fn new(stage: Stage, world: W, tracing: bool) -> Result<Self, Violation> {
        let carrier = Carrier::new(stage.shared.clone());
        let relays = |messaging: &Messaging| (0..INSTANCES).map(|_| RelayRole::new(messaging, &carrier)).collect();
        let groups = world.groups();
        let is_heard = |name: &str| groups.iter().any(|group| group.channels.iter().any(|(from, _)| *from == name));
        let services: Vec<Service> = world
            .services()
            .into_iter()
            .map(|messaging| Service {
                relays: relays(&messaging),
                is_heard: is_heard(messaging.db().name()),
                messaging,
                seat: Seat::default(),
            })
            .collect();
        let mut readers = Vec::new();
        for group in groups {
            let name = group.messaging.db().name();
            let service = services.iter().position(|service| service.messaging.db().name() == name);
            let Some(service) = service else {
                return Err(Violation(format!("group {} belongs to no service", group.name)));
            };
            let consumers = (0..INSTANCES).map(|_| ConsumerRole::default()).collect();
            readers.push(Reader { group, service, seat: Seat::default(), consumers });
        }
        let requests = vec![Asked::Unanswered; world.requests()];
        let (seen, trace) = (Seen::new(), tracing.then(Vec::new));
        Ok(Self {
            stage,
            world,
            carrier,
            services,
            readers,
            requests,
            seen,
            trace,
            witness: Witness::default(),
            checked_at: 0,
        })
    }

    pub(crate) fn saw(&mut self, state: &'static str) {
        *self.seen.entry(state).or_default() += 1;
    }

    /// Writes down what happens, if anybody will read it.
    pub(crate) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = line(self);
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    /// Ends a process when one of its commits died.
    pub(crate) fn bury(&mut self, service: usize, instance: usize) -> bool {
        let Some(fate) = self.stage.shared.take_death() else { return false };
        self.saw(match fate {
            CommitFate::DiesAfter => "a process died after a commit",
            CommitFate::DiesBefore | CommitFate::Stands => "a process died before a commit",
        });
        self.tell(|world| format!("    {} {}", world.process(service, instance), InWords(fate)));
        self.forget(service, instance);
        true
    }

    /// All that a process knew is gone.
    pub(crate) fn forget(&mut self, service: usize, instance: usize) {
        let (carrier, Some(dying)) = (&self.carrier, self.services.get_mut(service)) else { return };
        let fresh = RelayRole::new(&dying.messaging, carrier);
        if let Some(relay) = dying.relays.get_mut(instance) {
            *relay = fresh;
        }
        for reader in self.readers.iter_mut().filter(|reader| reader.service == service) {
            if let Some(consumer) = reader.consumers.get_mut(instance) {
                *consumer = ConsumerRole::default();
            }
        }
    }

    /// Who believes to have a lease that is another's, or an older one of its own, gives it up.
    pub(crate) fn learn_leases(&mut self) {
        for Service { messaging, seat, relays, .. } in &mut self.services {
            for (instance, relay) in relays.iter_mut().enumerate() {
                if !seat.is_held_by(instance, relay.epoch) {
                    *relay = RelayRole::new(messaging, &self.carrier);
                }
            }
        }
        for Reader { seat, consumers, .. } in &mut self.readers {
            for (instance, consumer) in consumers.iter_mut().enumerate() {
                if !seat.is_held_by(instance, consumer.epoch) {
                    *consumer = ConsumerRole::default();
                }
            }
        }
    }

    pub(crate) fn process(&self, service: usize, instance: usize) -> String {
        let name = self.services.get(service).map_or("nobody", |service| service.messaging.db().name());
        format!("{name}.{}", instance + 1)
    }

    /// Whether all is well, if anything has changed.
    pub(crate) fn check(&mut self) -> Result<(), Violation> {
        for state in self.carrier.take_seen() {
            self.saw(state);
        }
        let mut wrong = self.carrier.take_wrong();
        let commits = self.stage.shared.commits();
        if commits != self.checked_at {
            self.checked_at = commits;
            let carrier = &self.carrier;
            for reader in distinct(&self.readers) {
                let db = reader.group.messaging.db();
                wrong.extend(at_once(self.witness.look(db, |id, seq| carrier.place_of(id, seq)))??);
            }
            wrong.extend(at_once(self.world.always())??);
        }
        all_is_well(wrong)
    }

    /// Whether all is well now that everything should have come to an end.
    pub(crate) fn check_at_rest(&mut self) -> Result<(), Violation> {
        self.check()?;
        let unanswered = self.requests.iter().filter(|request| **request == Asked::Unanswered).count();
        let mut wrong = Vec::new();
        if unanswered > 0 {
            wrong.push(format!("{unanswered} requests are never answered"));
        }
        for service in &self.services {
            let db = service.messaging.db();
            let (heads, gaps) = at_once(tramline_messaging::invariants::outbox(db, db.name()))??;
            wrong.extend(gaps);
            for ((source, channel, partition), head) in heads {
                for reader in &self.readers {
                    if !reader.group.channels.iter().any(|(from, name)| *from == source && *name == channel) {
                        continue;
                    }
                    let partition = u16::try_from(partition).unwrap_or(u16::MAX);
                    let stream = tramline_messaging::StreamId { source, channel: channel.as_str().into(), partition };
                    let last = self.witness.last(reader.group.name, &stream);
                    if last != head {
                        let name = reader.group.name;
                        wrong.push(format!("group {name}: {last} of {head} messages took effect in {stream}"));
                    }
                }
            }
        }
        wrong.sort_unstable();
        wrong.extend(at_once(self.world.at_rest())??);
        for state in at_once(self.world.reached())?? {
            self.saw(state);
        }
        all_is_well(wrong)
    }
}

/// One reader of each service: its database testifies for all of the service's groups.
fn distinct(readers: &[Reader]) -> impl Iterator<Item = &Reader> {
    readers
        .iter()
        .enumerate()
        .filter(|(place, reader)| readers.iter().take(*place).all(|other| other.service != reader.service))
        .map(|(_, reader)| reader)
}

/// Runs what never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Result<T, Violation> {
    future.now_or_never().ok_or_else(|| Violation("a handler waits for something outside its database".to_owned()))
}

fn all_is_well(wrong: Vec<String>) -> Result<(), Violation> {
    if wrong.is_empty() { Ok(()) } else { Err(Violation(wrong.join("; "))) }
}
