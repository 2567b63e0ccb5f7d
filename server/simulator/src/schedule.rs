//! Who acts next. First under faults, for a while; then without them and in turn, until everything has come to rest.

use crate::{
    World,
    roles::{Consumed, INSTANCES},
    simulation::{Asked, Simulation, Violation, at_once},
};
use tramline_db::{DbError, sql};
use tramline_messaging::{BrokerError, HandlerError};

/// Steps under faults: for each request, and for all together.
const STEPS_PER_REQUEST: usize = 14;
const STEPS_BESIDE: usize = 40;
/// Rounds in which everything must come to rest once faults have ended. Each round brings every message on by one hop at least.
const ROUNDS_MAX: usize = 200;
/// What a step takes, and how long a pause may be, in simulated microseconds.
const STEP_MICROS: i64 = 10_000;
const PAUSE_MICROS: i64 = 60_000_000;

/// Something that may happen next.
#[derive(Clone, Copy, Debug)]
enum Action {
    Relay(usize, usize),
    Consume(usize, usize),
    Ask(usize),
    TimePasses,
    Work,
    RelayLeaseEnds(usize),
    ConsumerLeaseEnds(usize),
    ProcessDies(usize, usize),
    BrokerLoses,
    ComesAgain(usize),
}

impl<W: World> Simulation<W> {
    /// The whole run.
    pub(crate) fn run(&mut self) -> Result<(), Violation> {
        self.stage.shared.arm(true);
        self.carrier.set_unreliable(true);
        for _ in 0..STEPS_PER_REQUEST * self.requests.len() + STEPS_BESIDE {
            let Some(action) = self.choose() else { break };
            self.act(action)?;
            self.stage.shared.pass_time(STEP_MICROS);
            self.check()?;
        }
        self.stage.shared.arm(false);
        self.stage.shared.chance().end();
        self.carrier.set_unreliable(false);
        self.come_to_rest()?;
        self.check_at_rest()
    }

    /// What may happen, each as often in the list as it is likely. The plainest comes first.
    fn possible(&self) -> Vec<Action> {
        let mut possible = Vec::with_capacity(64);
        for (place, reader) in self.readers.iter().enumerate() {
            for (instance, consumer) in reader.consumers.iter().enumerate() {
                if consumer.has_work(&reader.group, reader.seat, instance, &self.carrier) {
                    possible.extend([Action::Consume(place, instance); 4]);
                }
            }
        }
        for (place, service) in self.services.iter().enumerate().filter(|(_, service)| service.is_heard) {
            for (instance, relay) in service.relays.iter().enumerate() {
                if relay.epoch.is_some() || service.seat.holder == instance {
                    possible.extend([Action::Relay(place, instance); 3]);
                }
            }
        }
        let unanswered = self.requests.iter().enumerate().filter(|(_, request)| **request == Asked::Unanswered);
        for (number, _) in unanswered.take(4) {
            possible.extend([Action::Ask(number); 2]);
        }
        possible.extend(
            (0..self.requests.len())
                .filter(|n| self.requests.get(*n) == Some(&Asked::Answered))
                .take(1)
                .map(Action::Ask),
        );
        possible.push(Action::TimePasses);
        if self.world.has_workers() {
            possible.extend([Action::Work; 3]);
        }
        possible.push(Action::BrokerLoses);
        for (place, _) in self.services.iter().enumerate().filter(|(_, service)| service.is_heard) {
            possible.push(Action::RelayLeaseEnds(place));
            possible.push(Action::ComesAgain(place));
        }
        possible.extend((0..self.readers.len()).map(Action::ConsumerLeaseEnds));
        possible
    }

    fn choose(&mut self) -> Option<Action> {
        let possible = self.possible();
        let mut chance = self.stage.shared.chance();
        if chance.has_ended() {
            return None;
        }
        let action = possible.get(chance.index(possible.len())?).copied()?;
        // Any process may die at any moment, whatever else would have come.
        if chance.once_in(60) {
            let service = chance.index(self.services.len())?;
            return Some(Action::ProcessDies(service, chance.index(INSTANCES)?));
        }
        Some(action)
    }

    fn act(&mut self, action: Action) -> Result<(), Violation> {
        match action {
            Action::Relay(service, instance) => {
                // Sooner or later a process that lost its lease learns of it.
                if self.stage.shared.chance().once_in(8) {
                    self.learn_leases();
                }
                let look = self.stage.shared.chance().below(3) == 0;
                self.relay(service, instance, look)
            }
            Action::Consume(reader, instance) => self.consume(reader, instance, true).map(drop),
            Action::Ask(number) => {
                // Any answered one may be asked again, not only the first.
                let number = match self.requests.get(number) {
                    Some(Asked::Answered) => {
                        self.saw("a client asked again");
                        self.stage.shared.chance().index(self.requests.len()).unwrap_or(number)
                    }
                    _ => number,
                };
                self.ask(number)
            }
            Action::TimePasses => self.time_passes(PAUSE_MICROS),
            Action::Work => self.work(),
            Action::RelayLeaseEnds(service) => {
                if let Some(service) = self.services.get_mut(service) {
                    service.seat.pass_on();
                }
                self.tell(|world| format!("the relay's lease of {} ends unnoticed", world.process(service, 0)));
                Ok(())
            }
            Action::ConsumerLeaseEnds(reader) => {
                if let Some(reader) = self.readers.get_mut(reader) {
                    reader.seat.pass_on();
                }
                self.tell(|world| format!("the lease of group {} ends unnoticed", world.group(reader)));
                Ok(())
            }
            Action::ProcessDies(service, instance) => {
                self.tell(|world| format!("{} dies", world.process(service, instance)));
                self.forget(service, instance);
                Ok(())
            }
            Action::BrokerLoses => {
                self.broker_loses();
                Ok(())
            }
            Action::ComesAgain(service) => self.comes_again(service),
        }
    }

    fn group(&self, reader: usize) -> &'static str {
        self.readers.get(reader).map_or("nobody", |reader| reader.group.name)
    }

    fn relay(&mut self, place: usize, instance: usize, look: bool) -> Result<(), Violation> {
        self.tell(|world| {
            format!("{} publishes{}", world.process(place, instance), if look { " after a look" } else { "" })
        });
        let Some(service) = self.services.get_mut(place) else { return Ok(()) };
        let Some(relay) = service.relays.get_mut(instance) else { return Ok(()) };
        match at_once(relay.step(&mut service.seat, look))? {
            // Nobody knows what it took; the next look tells.
            Ok(()) | Err(BrokerError::Unreachable(_)) => {}
            Err(error) => return Err(Violation(format!("a relay failed: {error:?}"))),
        }
        self.bury(place, instance);
        Ok(())
    }

    /// `true`: something was done.
    fn consume(&mut self, place: usize, instance: usize, may_pause: bool) -> Result<bool, Violation> {
        let shared = self.stage.shared.clone();
        let Some(reader) = self.readers.get_mut(place) else { return Ok(false) };
        let Some(consumer) = reader.consumers.get_mut(instance) else { return Ok(false) };
        let (service, step) =
            (reader.service, consumer.step(&reader.group, &mut reader.seat, &self.carrier, &shared, may_pause));
        let outcome = at_once(step)?;
        self.tell(|world| {
            let done = match &outcome {
                Ok(done) => done.to_string(),
                Err(error) => format!("{error}"),
            };
            format!("{} consumes for {}: {done}", world.process(service, instance), world.group(place))
        });
        match outcome {
            _ if self.bury(service, instance) => Ok(true),
            Ok(Consumed::Nothing) => Ok(false),
            Ok(Consumed::Prepared | Consumed::Moved | Consumed::Again(_)) => Ok(true),
            Ok(Consumed::Applied { streams, messages }) => {
                if streams > 1 && messages > 1 {
                    self.saw("a batch held messages of several streams");
                }
                Ok(true)
            }
            Ok(Consumed::Fenced) => {
                self.saw("a consumer that woke too late was refused");
                Ok(true)
            }
            Ok(Consumed::Wrong(wrong)) => Err(Violation(wrong)),
            Err(error) => Err(Violation(format!("group {} failed: {error:?}", self.group(place)))),
        }
    }

    fn ask(&mut self, number: usize) -> Result<(), Violation> {
        let outcome = at_once(self.world.request(number))?;
        self.tell(|_| match &outcome {
            Ok(()) => format!("request {number} is answered"),
            Err(error) => format!("request {number} is not answered: {error}"),
        });
        // Whichever process it was that took the request.
        let service = self.stage.shared.chance().index(self.services.len()).unwrap_or(0);
        if self.bury(service, 0) {
            return Ok(());
        }
        match (outcome, self.requests.get_mut(number)) {
            (Ok(()), Some(request)) => *request = Asked::Answered,
            (Ok(()), None) | (Err(HandlerError::Transient(_)), _) => {}
            (Err(error), _) => return Err(Violation(format!("request {number} failed: {error:?}"))),
        }
        Ok(())
    }

    fn time_passes(&mut self, most: i64) -> Result<(), Violation> {
        self.stage.shared.pass_time(most);
        let outcome = at_once(self.world.time_passed())?;
        self.tell(|_| "time passes".to_owned());
        let service = self.stage.shared.chance().index(self.services.len()).unwrap_or(0);
        if self.bury(service, 0) {
            return Ok(());
        }
        outcome.map_err(|error| Violation(format!("what is due failed: {error:?}")))
    }

    fn work(&mut self) -> Result<(), Violation> {
        let outcome = at_once(self.world.work())?;
        self.tell(|_| "a worker takes a step".to_owned());
        let service = self.stage.shared.chance().index(self.services.len()).unwrap_or(0);
        if self.bury(service, 0) {
            return Ok(());
        }
        outcome.map_err(|error| Violation(format!("a worker failed: {error:?}")))
    }

    fn broker_loses(&mut self) {
        let streams = self.carrier.streams();
        let (all, index, count) = {
            let mut chance = self.stage.shared.chance();
            (chance.once_in(6), chance.index(streams.len()), 1 + i64::from(chance.below(3)))
        };
        if all {
            self.carrier.lose_all();
            self.saw("the broker lost everything");
            self.tell(|_| "the broker loses everything".to_owned());
        } else if let Some((stream, head)) = index.and_then(|index| streams.into_iter().nth(index)) {
            let rest = (head - count).max(0);
            self.carrier.lose_after(&stream, rest);
            let consumers = self.readers.iter().flat_map(|reader| &reader.consumers);
            if consumers.filter_map(|consumer| consumer.positions.get(&stream)).any(|position| *position < head) {
                self.saw("the broker lost records that were not read yet");
            }
            self.tell(|_| format!("the broker loses {} records of {stream}", head - rest));
        }
    }

    /// A sender sends a message once more, under its next number.
    fn comes_again(&mut self, place: usize) -> Result<(), Violation> {
        let Some(messaging) = self.services.get(place).map(|service| service.messaging.clone()) else { return Ok(()) };
        let rows: Vec<(String, i64, i64, String)> =
            at_once(messaging.db().all(sql(
                "select channel, partition_no, seq, headers from outbox order by channel, partition_no, seq",
            )))??;
        let is_read = |channel: &str| {
            let source = messaging.db().name();
            self.readers
                .iter()
                .any(|reader| reader.group.channels.iter().any(|(from, name)| *from == source && *name == channel))
        };
        let kind = |headers: &str| {
            let start = headers.find("\"type\":\"").map_or(0, |at| at + 8);
            headers.get(start..).and_then(|rest| rest.split('"').next()).unwrap_or("").to_owned()
        };
        let may: Vec<_> = rows
            .into_iter()
            .filter(|(channel, _, _, headers)| is_read(channel) && self.world.may_come_again(channel, &kind(headers)))
            .collect();
        let index = self.stage.shared.chance().index(may.len());
        let Some((channel, partition, seq, headers)) = index.and_then(|index| may.into_iter().nth(index)) else {
            return Ok(());
        };
        self.tell(|_| format!("{} {channel}/{partition}/{seq} is sent again", kind(&headers)));
        let sent = messaging.db().write::<u64, DbError, _>(move |tx| {
            Box::pin(async move {
                tx.execute(
                    sql("update outbox_head set last_seq = last_seq + 1 where channel = $1 and partition_no = $2")
                        .bind(&channel)
                        .bind(partition),
                )
                .await?;
                tx.execute(
                    sql("insert into outbox (channel, partition_no, seq, message_id, message_key, headers, payload, recorded_at) \
                         select o.channel, o.partition_no, h.last_seq, o.message_id, o.message_key, o.headers, o.payload, o.recorded_at \
                         from outbox as o join outbox_head as h on h.channel = o.channel and h.partition_no = o.partition_no \
                         where o.channel = $1 and o.partition_no = $2 and o.seq = $3")
                    .bind(&channel)
                    .bind(partition)
                    .bind(seq),
                )
                .await
            })
        });
        let sent = at_once(sent)?;
        if !self.bury(place, 0) && sent? == 1 {
            self.saw("a message was sent again");
        }
        Ok(())
    }

    /// Without faults, everybody in turn.
    fn come_to_rest(&mut self) -> Result<(), Violation> {
        self.tell(|_| "faults end, and everybody learns whose leases are whose".to_owned());
        self.learn_leases();
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            let before = self.stage.shared.commits();
            self.time_passes(PAUSE_MICROS)?;
            if self.world.has_workers() {
                self.work()?;
            }
            self.settle()?;
            self.check()?;
            let unanswered = self.requests.contains(&Asked::Unanswered);
            quiet = if self.stage.shared.commits() == before && !unanswered { quiet + 1 } else { 0 };
            if quiet == 2 {
                return Ok(());
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Violation> {
        for number in 0..self.requests.len() {
            if self.requests.get(number) == Some(&Asked::Unanswered) {
                self.ask(number)?;
            }
        }
        for place in 0..self.services.len() {
            let Some(service) = self.services.get(place).filter(|service| service.is_heard) else { continue };
            self.relay(place, service.seat.holder, true)?;
        }
        for place in 0..self.readers.len() {
            let holder = self.readers.get(place).map_or(0, |reader| reader.seat.holder);
            while self.has_work(place, holder) && self.consume(place, holder, false)? {
                self.check()?;
            }
        }
        Ok(())
    }

    fn has_work(&self, place: usize, instance: usize) -> bool {
        let Some(reader) = self.readers.get(place) else { return false };
        let consumer = reader.consumers.get(instance);
        consumer.is_some_and(|consumer| consumer.has_work(&reader.group, reader.seat, instance, &self.carrier))
    }
}
