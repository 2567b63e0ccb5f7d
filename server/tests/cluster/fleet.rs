//! The processes of the process file over a PostgreSQL and a Redis of their own, each to be killed, stopped and started again.

use crate::{
    gateway::Gateway,
    processes::{Planned, ProcessFile},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tramline_testing::{Disk, PrivatePostgres, PrivateRedis, Process, RedisOptions, Signal, Stopwatch, free_port};

/// How long a process may take to be ready on a busy machine.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between two looks at whatever is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How committed messages reach Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayKind {
    Polling,
    Wal,
}

impl RelayKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Wal => "wal",
        }
    }

    pub const fn other(self) -> Self {
        match self {
            Self::Polling => Self::Wal,
            Self::Wal => Self::Polling,
        }
    }
}

/// A process of the file, through all its lives.
pub struct Instance {
    pub name: String,
    pub role: String,
    pub address: String,
    pub relay: RelayKind,
    settings: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Process>,
    /// Whether this life has said that it is ready.
    ready: bool,
    /// Whether it is meant to run; what ends by itself then is started again, as whoever runs it for good would.
    wanted: bool,
}

/// All of them. Dropping it ends every process, then the servers.
pub struct Fleet {
    instances: Vec<Instance>,
    pub database: String,
    pub redis: PrivateRedis,
    pub postgres: PrivatePostgres,
    folder: TempDir,
}

/// What a check says that found nothing wrong.
pub struct Checked {
    pub report: String,
    /// The views that were right had been read so long before its end.
    pub views_read_ago: Duration,
}

impl Fleet {
    /// Starts everything. `None`, said aloud, where a server is not installed, and where the stores are not ours to choose.
    pub async fn start(relay: RelayKind) -> Option<Self> {
        if std::env::var_os(tramline_testing::POSTGRES).is_some() {
            eprintln!("left out: these tests bring servers of their own and run without TRAMLINE_TEST_POSTGRES");
            return None;
        }
        let postgres = tramline_testing::required("PostgreSQL", PrivatePostgres::start(Disk::Synced))?;
        let redis = PrivateRedis::start_with(RedisOptions { appendonly: true, ..RedisOptions::default() }).await?;
        let database = postgres.database();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = ProcessFile::read();
        let known = placeholders(&file, &database, &redis, folder.path());
        let instances = file.processes().iter().map(|planned| {
            let log = folder.path().join(format!("{}.log", planned.name));
            Instance::new(planned, &known, file.settings(planned, &known), log, relay)
        });
        let instances = instances.collect();
        let mut fleet = Self { instances, database, redis, postgres, folder };
        fleet.instances.iter_mut().for_each(Instance::start);
        fleet.until_ready().await;
        Some(fleet)
    }

    pub fn names(&self) -> Vec<String> {
        self.instances.iter().map(|instance| instance.name.clone()).collect()
    }

    /// Every process of a role.
    pub fn of(&self, role: &str) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(move |instance| instance.role == role)
    }

    pub fn instance(&mut self, name: &str) -> &mut Instance {
        self.instances.iter_mut().find(|instance| instance.name == name).expect("a process of that name")
    }

    pub fn gateways(&self) -> Vec<Gateway> {
        self.of("gateway").map(|instance| Gateway::at(&instance.name, &instance.address)).collect()
    }

    /// Waits until every process that is meant to run is ready, starting those again that gave up meanwhile.
    pub async fn until_ready(&mut self) {
        let watch = Stopwatch::start();
        loop {
            self.tend();
            if self.instances.iter().all(|instance| !instance.wanted || instance.ready) {
                return;
            }
            let waiting = self.instances.iter().filter(|instance| instance.wanted && !instance.ready);
            let waiting: Vec<_> = waiting.map(|instance| (&instance.name, instance.last_words())).collect();
            assert!(watch.elapsed() < READY_MAX, "not ready: {waiting:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Notes who is ready, and starts again who gave up at its start. One that ends by itself after it was ready is a fault of its
    /// own and fails the test.
    pub fn tend(&mut self) {
        for instance in self.instances.iter_mut().filter(|instance| instance.wanted) {
            let Some(process) = &instance.process else { continue };
            if process.address().is_some() {
                instance.ready = true;
            }
            if process.has_ended() {
                assert!(!instance.ready, "{} has ended by itself: {}", instance.name, instance.last_words());
                instance.start();
            }
        }
    }

    /// What the invariants over all stores say, looked at for so long until nothing is wrong.
    pub fn check(&self, wait: Duration) -> Result<Checked, String> {
        let mut command = Command::new(program());
        for name in tramline_testing::SETTINGS {
            command.env_remove(name);
        }
        command.env("TRAMLINE_DATABASE", &self.database).env("TRAMLINE_REDIS", self.redis.url());
        command.args(["check", "--wait", &wait.as_secs().to_string()]);
        let output = command.output().expect("the program starts");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        if !output.status.success() {
            return Err(text);
        }
        let ago = text
            .lines()
            .find_map(|line| line.strip_prefix("the views were read ")?.strip_suffix(" ms ago")?.parse().ok());
        Ok(Checked {
            views_read_ago: Duration::from_millis(ago.expect("it tells when it read the views")),
            report: text,
        })
    }

    /// Fails when a process has panicked in any of its lives.
    pub fn assert_no_panic(&self) {
        for instance in &self.instances {
            let log = std::fs::read_to_string(&instance.log).unwrap_or_default();
            let panic = log.lines().find(|line| line.contains("panicked"));
            assert!(panic.is_none(), "{} has panicked: {panic:?}", instance.name);
        }
    }

    /// Keeps logs where they can be read after a failure.
    pub fn keep_logs(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

impl Instance {
    fn new(
        planned: &Planned,
        known: &BTreeMap<String, String>,
        mut settings: Vec<(String, String)>,
        log: PathBuf,
        relay: RelayKind,
    ) -> Self {
        settings.retain(|(name, _)| name != "TRAMLINE_RELAY");
        settings.push(("TRAMLINE_LOG".to_owned(), std::env::var("TRAMLINE_TEST_LOG").unwrap_or("warn".to_owned())));
        let address = known.get(&planned.name).expect("it has an address").clone();
        let (name, role) = (planned.name.clone(), planned.role.clone());
        Self { name, role, address, relay, settings, log, process: None, ready: false, wanted: false }
    }

    /// Starts a life; [`Fleet::until_ready`] awaits that it is ready.
    pub fn start(&mut self) {
        let mut settings = self.settings.clone();
        settings.push(("TRAMLINE_RELAY".to_owned(), self.relay.name().to_owned()));
        // The former life is gone before the next one wants its address.
        drop(self.process.take());
        self.process = Some(Process::start(program(), &["serve"], &settings, &self.log));
        (self.ready, self.wanted) = (false, true);
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        self.wanted = false;
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM: the way of an upgrade. [`Instance::start`] awaits the end.
    pub fn terminate(&mut self) {
        self.wanted = false;
        if let Some(process) = &self.process {
            process.signal(Signal::Terminate);
        }
    }

    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_none_or(Process::has_ended)
    }

    pub fn stand_still(&self) {
        self.process.as_ref().expect("it runs").signal(Signal::Stop);
    }

    pub fn go_on(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::Continue);
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let folder = self.keep_logs();
            eprintln!("the logs of the processes are in {}", folder.display());
        }
    }
}

fn program() -> std::ffi::OsString {
    std::env::var_os("TRAMLINE_BIN").unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_tramline")).into())
}

fn placeholders(file: &ProcessFile, database: &str, redis: &PrivateRedis, folder: &Path) -> BTreeMap<String, String> {
    let mut known: BTreeMap<_, _> =
        file.processes().iter().map(|process| (process.name.clone(), format!("127.0.0.1:{}", free_port()))).collect();
    for (name, value) in [
        ("DATABASE", database.to_owned()),
        ("REDIS", redis.url()),
        ("SECRET", "a secret that only this test knows".to_owned()),
        ("RELAY", RelayKind::Polling.name().to_owned()),
        ("MAIL", format!("files:{}", folder.join("mail").display())),
    ] {
        known.insert(name.to_owned(), value);
    }
    known
}
