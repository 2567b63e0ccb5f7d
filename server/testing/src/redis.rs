//! A Redis of its own for a test.
//!
//! The server is a child of a small shell that waits for the end of its input: when the test ends in any way, even
//! killed, the input closes and the shell ends the server by its number.

use crate::free_port;
use std::{
    io::{ErrorKind, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

const PROGRAM: &str = "redis-server";
/// Starts the server with the arguments, and ends it when the input does.
const KEEPER: &str = r#"exec 3<&0; "$@" </dev/null & server=$!; read -r line <&3; kill -9 "$server"; wait"#;
/// How long a server may take to answer: a busy machine is slow.
const START_MAX: Duration = Duration::from_secs(20);
/// Between two looks whether it answers.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How a [`PrivateRedis`] differs from a plain one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisOptions {
    /// Whether it is a cluster of one server, which refuses a command over keys of several slots as any cluster does.
    pub cluster: bool,
    /// The password that it asks for.
    pub password: Option<&'static str>,
    /// Whether it writes down every change, so that a restart keeps them.
    pub appendonly: bool,
}

/// A server that lives as long as this value.
#[derive(Debug)]
pub struct PrivateRedis {
    options: RedisOptions,
    folder: TempDir,
    port: u16,
    bus_port: u16,
    keeper: Option<Child>,
}

impl PrivateRedis {
    /// A plain server that keeps nothing. `None`, said aloud, where there is no program for it.
    ///
    /// # Panics
    /// When it does not start, or is missing while `TRAMLINE_REQUIRE_SERVERS=1`.
    pub async fn start() -> Option<Self> {
        Self::start_with(RedisOptions::default()).await
    }

    /// A server as asked for. `None`, said aloud, where there is no program for it.
    ///
    /// # Panics
    /// When it does not start, or is missing while `TRAMLINE_REQUIRE_SERVERS=1`.
    pub async fn start_with(options: RedisOptions) -> Option<Self> {
        if !is_installed() {
            assert!(std::env::var_os("TRAMLINE_REQUIRE_SERVERS").is_none_or(|v| v != "1"), "{PROGRAM} is missing");
            // Past the test runner, which would keep what a passing test prints to itself.
            writeln!(std::io::stderr(), "SKIPPED: this test needs {PROGRAM}, which is not installed").ok();
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self { options, folder, port: free_port(), bus_port: free_port(), keeper: None };
        server.run().await;
        if options.cluster {
            assert_eq!(server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await, "OK");
            server.until_cluster_is_ready().await;
        }
        Some(server)
    }

    /// The address, with the password if it asks for one.
    #[must_use]
    pub fn url(&self) -> String {
        let user = self.options.password.map(|password| format!(":{password}@")).unwrap_or_default();
        let scheme = if self.options.cluster { "redis-cluster" } else { "redis" };
        format!("{scheme}://{user}127.0.0.1:{}", self.port)
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once, as a power cut would.
    pub fn stop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            if let Err(error) = keeper.wait() {
                eprintln!("the keeper of a private Redis could not be awaited: {error}");
            }
        }
    }

    /// Ends the server, and starts it again on the same port with what it wrote down.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.stop();
        self.run().await;
        if self.options.cluster {
            self.until_cluster_is_ready().await;
        }
    }

    /// Forgets everything, and keeps running.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn flushall(&self) {
        assert_eq!(self.ask(&["FLUSHALL"]).await, "OK");
    }

    /// Asks the server on a connection of its own, and returns the answer as text. Meant for answers that are no lists.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).await.expect("the private Redis answers")
    }

    async fn run(&mut self) {
        let pid_file = self.folder.path().join("pid");
        if let Err(error) = std::fs::remove_file(&pid_file) {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper", PROGRAM, "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--port", &self.port.to_string()]).arg("--dir").arg(self.folder.path());
        command.arg("--pidfile").arg(&pid_file);
        command.args(["--appendonly", if self.options.appendonly { "yes" } else { "no" }]);
        command.args(["--appendfsync", "always", "--repl-diskless-load", "disabled"]);
        if let Some(password) = self.options.password {
            command.args(["--requirepass", password]);
        }
        if self.options.cluster {
            command.args(["--cluster-enabled", "yes", "--cluster-port", &self.bus_port.to_string()]);
        }
        let output = std::fs::File::create(self.folder.path().join("log")).expect("a log file");
        let keeper = command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::inherit()).spawn();
        self.keeper = Some(keeper.expect("a shell starts"));
        let answers = async {
            // The file comes once the port is taken: whoever answers is this server and no other.
            while !pid_file.exists() || self.try_ask(&["PING"]).await.is_none_or(|answer| answer != "PONG") {
                sleep(LOOK_EVERY).await;
            }
        };
        if timeout(START_MAX, answers).await.is_err() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            panic!("the private Redis does not answer: {log}");
        }
    }

    async fn until_cluster_is_ready(&self) {
        let ready = async {
            while !self.ask(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(START_MAX, ready).await.expect("the private cluster becomes ready");
    }

    async fn try_ask(&self, words: &[&str]) -> Option<String> {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.ok()?);
        if let Some(password) = self.options.password {
            exchange(&mut stream, &["AUTH", password]).await?;
        }
        exchange(&mut stream, words).await
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends a command in Redis' own protocol and reads an answer that is no list.
async fn exchange(stream: &mut BufReader<TcpStream>, words: &[&str]) -> Option<String> {
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1)?;
    match (kind, rest.parse::<usize>()) {
        ("$", Ok(length)) => {
            let mut text = vec![0; length + 2];
            stream.read_exact(&mut text).await.ok()?;
            text.truncate(length);
            String::from_utf8(text).ok()
        }
        _ => Some(rest.to_owned()),
    }
}

fn is_installed() -> bool {
    let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}
