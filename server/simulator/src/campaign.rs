//! Many runs, each with a seed of its own, spread over the cores; the first that fails is shrunk.

use crate::{
    Chance, Flaw, Stage, World,
    shrink::shrink,
    simulation::{Seen, Simulation, Violation},
    stage::Schemas,
    world::RARE,
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tramline_db::DbError;

/// Runs a world over and over.
pub struct Campaign<F> {
    open: F,
    flaws: Vec<Flaw>,
    schemas: Arc<Schemas>,
    rare: Vec<&'static str>,
}

/// When a campaign has done enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Clients have asked for so much.
    Requests(u64),
    /// A rare or common state was reached so often.
    Reached(&'static str, u64),
}

impl Until {
    fn is_reached(self, report: &Report) -> bool {
        match self {
            Self::Requests(requests) => report.requests >= requests,
            Self::Reached(state, count) => report.reached.get(state).copied().unwrap_or(0) >= count,
        }
    }
}

/// What a campaign without a violation did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs, each with a world of its own.
    pub runs: u64,
    /// Requests of clients in all of them.
    pub requests: u64,
    /// Commits that stand.
    pub commits: u64,
    /// How often each rare state was reached.
    pub reached: Seen,
    /// The rare states that were not.
    pub unreached: Vec<&'static str>,
}

/// A run that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that found it.
    pub seed: u64,
    /// How many runs it took.
    pub runs: u64,
    /// What is wrong, in the shrunk run.
    pub violation: String,
    /// The choices of the shrunk run; see [`Campaign::replay`].
    pub choices: Vec<u32>,
    /// The choices before that.
    pub choices_before: usize,
    /// What happens in the shrunk run, step by step.
    pub trace: Vec<String>,
}

/// One run's end.
struct Outcome {
    violation: Option<String>,
    choices: Vec<u32>,
    seen: Seen,
    trace: Vec<String>,
    requests: u64,
    commits: u64,
}

impl<W: World, F: Fn(&Stage) -> Result<W, DbError> + Sync> Campaign<F> {
    /// A campaign over worlds that `open` makes.
    #[must_use]
    pub fn new(open: F) -> Self {
        Self { open, flaws: Vec::new(), schemas: Arc::default(), rare: Vec::new() }
    }

    /// Plants a flaw.
    #[must_use]
    pub fn with(mut self, flaw: Flaw) -> Self {
        self.flaws.push(flaw);
        self
    }

    /// States that the world itself must reach at least once, beside the engine's own.
    #[must_use]
    pub fn must_reach(mut self, rare: &[&'static str]) -> Self {
        self.rare.extend(rare);
        self
    }

    /// Runs seed after seed until enough is done, on so many threads. A run is always on one.
    ///
    /// # Errors
    /// The first violation, shrunk.
    pub fn run(&self, first_seed: u64, until: Until, threads: usize) -> Result<Report, Box<Failure>> {
        let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
        let sum = Mutex::new((Report::default(), None::<u64>));
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    while !failed.load(Ordering::Relaxed) {
                        let seed = first_seed + next.fetch_add(1, Ordering::Relaxed);
                        let outcome = self.once(seed, Chance::from_seed(seed), false);
                        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        let (report, worst) = &mut *sum;
                        report.add(&outcome);
                        if outcome.violation.is_some() {
                            *worst = Some(worst.map_or(seed, |other| other.min(seed)));
                            failed.store(true, Ordering::Relaxed);
                        }
                        if until.is_reached(report) {
                            return;
                        }
                    }
                });
            }
        });
        let (mut report, failed) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(seed) = failed {
            return Err(Box::new(self.shrunk(seed, report.runs)));
        }
        let promised = RARE.iter().chain(&self.rare);
        report.unreached = promised.copied().filter(|state| !report.reached.contains_key(state)).collect();
        Ok(report)
    }

    /// The run of one seed.
    ///
    /// # Errors
    /// Its violation, shrunk.
    pub fn run_seed(&self, seed: u64) -> Result<(), Box<Failure>> {
        match self.once(seed, Chance::from_seed(seed), false).violation {
            None => Ok(()),
            Some(_) => Err(Box::new(self.shrunk(seed, 1))),
        }
    }

    /// A run by its choices: what is wrong with it, and what happens.
    pub fn replay(&self, choices: &[u32]) -> (Option<String>, Vec<String>) {
        let outcome = self.once(0, Chance::from_choices(choices.to_vec()), true);
        (outcome.violation, outcome.trace)
    }

    fn shrunk(&self, seed: u64, runs: u64) -> Failure {
        let first = self.once(seed, Chance::from_seed(seed), false);
        let before = first.choices.len();
        let (choices, _) = shrink(first.choices, |candidate| {
            let outcome = self.once(seed, Chance::from_choices(candidate.to_vec()), false);
            outcome.violation.map(|_| outcome.choices)
        });
        let (violation, trace) = self.replay(&choices);
        Failure { seed, runs, violation: violation.unwrap_or_default(), choices, choices_before: before, trace }
    }

    fn once(&self, seed: u64, chance: Chance, tracing: bool) -> Outcome {
        let _guard = NameSeed(seed);
        let stage = Stage::new(chance, &self.flaws, &self.schemas);
        let shared = stage.shared.clone();
        let simulation =
            (self.open)(&stage).map_err(Violation::from).and_then(|world| Simulation::new(stage, world, tracing));
        let (violation, seen, trace, requests) = match simulation {
            Ok(mut simulation) => {
                let violation = simulation.run().err();
                let requests = simulation.requests.len() as u64;
                (violation, simulation.seen, simulation.trace.unwrap_or_default(), requests)
            }
            Err(violation) => (Some(violation), Seen::new(), Vec::new(), 0),
        };
        let choices = shared.chance().taken().to_vec();
        let violation = violation.map(|Violation(wrong)| wrong);
        Outcome { violation, choices, seen, trace, requests, commits: shared.commits() }
    }
}

impl Report {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.requests += outcome.requests;
        self.commits += outcome.commits;
        for (state, count) in &outcome.seen {
            *self.reached.entry(state).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} runs, {} requests, {} commits", self.runs, self.requests, self.commits)?;
        for (state, count) in &self.reached {
            writeln!(f, "{count:>9}  {state}")?;
        }
        for state in &self.unreached {
            writeln!(f, "    never  {state}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} (run {}): {}", self.seed, self.runs, self.violation)?;
        writeln!(f, "shrunk from {} choices to {}: {:?}", self.choices_before, self.choices.len(), self.choices)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// A handler that panics still has its run named.
struct NameSeed(u64);

impl Drop for NameSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation with seed {} panicked", self.0);
        }
    }
}
