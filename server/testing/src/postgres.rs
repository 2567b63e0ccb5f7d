//! A PostgreSQL cluster of a test's own: made in a temporary folder, on a private port, gone with the test.

use crate::free_port;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tempfile::TempDir;

/// Where Debian keeps the server's programs, which are not in the path.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Looks at a starting server, 50 ms apart.
const LOOKS: u32 = 400;

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A running cluster. Dropping it ends the server.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Option<Child>,
    bin: PathBuf,
    port: u16,
    folder: TempDir,
}

/// What a cluster is asked to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Commits wait for the disk, as in production.
    Synced,
    /// Nothing survives a crash of the machine; for tests that do not kill the server.
    Unsynced,
}

impl PrivatePostgres {
    /// Starts a cluster with logical replication on. `None` when the machine has no PostgreSQL.
    ///
    /// # Panics
    /// When there is one and it does not start.
    #[must_use]
    pub fn start(disk: Disk) -> Option<Self> {
        let bin = programs()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("cluster");
        std::fs::create_dir(&data).expect("a folder");
        let is_root = is_root();
        if is_root {
            // The server refuses to run as root.
            run(Command::new("chown").arg("-R").arg("postgres").arg(folder.path()));
            run(Command::new("chmod").arg("755").arg(folder.path()));
        }
        run(as_postgres(is_root, &bin.join("initdb"))
            .args(["-N", "--no-instructions", "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "-D"])
            .arg(&data));
        let mut cluster = Self { server: None, bin, port: free_port(), folder };
        cluster.launch(disk);
        Some(cluster)
    }

    fn launch(&mut self, disk: Disk) {
        let fsync = match disk {
            Disk::Synced => "fsync=on",
            Disk::Unsynced => "fsync=off",
        };
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let child = as_postgres(is_root(), &self.bin.join("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("cluster"))
            .args(["-p", &self.port.to_string(), "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", fsync])
            .args(["-c", "wal_level=logical", "-c", "max_replication_slots=1000", "-c", "max_wal_senders=64"])
            .args(["-c", "max_connections=400", "-c", "shared_buffers=64MB"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        self.server = Some(child);
        for _ in 0..LOOKS {
            if self.psql("postgres", "select 1") {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not answer: {:?}", std::fs::read_to_string(self.folder.path().join("log")));
    }

    /// Makes an empty database, and returns its address.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn database(&self) -> String {
        database_on(&self.url("postgres"), None)
    }

    /// The address of a database of that name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends the server without asking its clients, as a restart of its machine does, and starts it again.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn restart(&mut self, disk: Disk) {
        self.end();
        self.launch(disk);
    }

    /// Ends the server without asking its clients. [`PrivatePostgres::restart`] starts it again.
    pub fn stop(&mut self) {
        self.end();
    }

    fn psql(&self, database: &str, text: &str) -> bool {
        psql(&self.url(database), text)
    }

    /// SIGQUIT: the server ends at once and recovers from its log when it starts again.
    fn end(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pidfile = self.folder.path().join("cluster/postmaster.pid");
        let id = std::fs::read_to_string(pidfile).ok().and_then(|text| text.lines().next().map(str::to_owned));
        if let Some(id) = id {
            let _ = Command::new("kill").args(["-QUIT", &id]).status();
        }
        let _ = server.wait();
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes a database on a server that runs already, given any address on it, and returns its address. It is empty, or a copy of
/// another that nobody uses.
///
/// # Panics
/// When the server refuses.
#[must_use]
pub fn database_on(url: &str, template: Option<&str>) -> String {
    let name = format!("t{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
    let _ = psql(url, &format!("drop database if exists {name} with (force)"));
    let template = template.unwrap_or("template1");
    assert!(psql(url, &format!("create database {name} template {template}")), "PostgreSQL makes no database");
    let (server, _) = url.rsplit_once('/').expect("an address with a database");
    format!("{server}/{name}")
}

/// Runs SQL on a server. `false` when it was refused.
#[must_use]
pub fn psql(url: &str, text: &str) -> bool {
    let status = Command::new("psql")
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-c", text, url])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?.filter_map(Result::ok);
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest =
        versions.map(|entry| entry.path()).filter(|path| number(path).is_some()).max_by_key(|path| number(path));
    Some(newest?.join("bin")).filter(|bin| bin.join("initdb").exists())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn as_postgres(is_root: bool, program: &Path) -> Command {
    if is_root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program).current_dir("/");
        return command;
    }
    Command::new(program)
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program is there");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
