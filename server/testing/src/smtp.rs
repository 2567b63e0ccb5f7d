//! A mail server of its own for a test: aiosmtpd, an implementation of RFC 5321 that keeps what it takes in a Maildir.
//!
//! Recipients that begin with `nobody` it does not know, those that begin with `busy` it puts off, and of those that begin with
//! `slow` it takes mails without ever saying so: what any mail server may do, here on demand.

use crate::{Process, Stopwatch, free_port, required};
use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// How long a server may take to answer: a busy machine is slow.
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The system's own interpreter first: that is the one that packages are for.
const INTERPRETERS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// Address, folder, and user and password when it asks for them.
const PROGRAM: &str = r#"
import asyncio, signal, sys
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult

class Box(Mailbox):
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 no such user here"
        if address.startswith("busy"):
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = await super().handle_DATA(server, session, envelope)
        if envelope.rcpt_tos[0].startswith("slow"):
            await asyncio.sleep(3600)
        return answer

port, folder, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
def known(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (user.encode(), password.encode()))
settings = dict(authenticator=known, auth_required=True, auth_require_tls=False) if user else {}
Controller(Box(folder), hostname="127.0.0.1", port=port, **settings).start()
signal.pause()
"#;

/// A mail as the server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMail {
    /// The `Message-ID`, without its brackets.
    pub message_id: String,
    /// The recipient.
    pub to: String,
    /// The whole of it.
    pub text: String,
}

/// A server that lives as long as this value. What it took it keeps from one life to the next.
#[derive(Debug)]
pub struct PrivateSmtp {
    interpreter: &'static str,
    folder: TempDir,
    port: u16,
    user: Option<(&'static str, &'static str)>,
    process: Option<Process>,
}

impl PrivateSmtp {
    /// A server for everybody. `None`, said aloud, where it is not installed.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_for(None)
    }

    /// A server that takes mail from this user with this password alone.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_for(user: Option<(&'static str, &'static str)>) -> Option<Self> {
        let interpreter = required("aiosmtpd (Debian's python3-aiosmtpd)", interpreter())?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self { interpreter, folder, port: free_port(), user, process: None };
        server.go_on();
        Some(server)
    }

    /// The address, with nobody's name.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once, whatever it is doing.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it again, on the same port with the same mails.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn go_on(&mut self) {
        let (user, password) = self.user.unwrap_or_default();
        let (port, mails) = (self.port.to_string(), self.folder.path().join("mails").display().to_string());
        let arguments = ["-c", PROGRAM, &port, &mails, user, password];
        let log = self.folder.path().join("log");
        self.process = Some(Process::start(self.interpreter, &arguments, &[], &log));
        let watch = Stopwatch::start();
        while !self.answers() {
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(watch.elapsed() < START_MAX, "the private mail server does not answer: {}", log());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Everything that it took, in no order.
    ///
    /// # Panics
    /// When the folder does not read.
    #[must_use]
    pub fn mails(&self) -> Vec<ReceivedMail> {
        mails_in(&self.folder.path().join("mails"))
    }

    fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut greeting = String::new();
        stream.set_read_timeout(Some(START_MAX)).is_ok()
            && BufReader::new(stream).read_line(&mut greeting).is_ok()
            && greeting.starts_with("220 ")
    }
}

/// Everything in the part `new` of a Maildir, in no order.
///
/// # Panics
/// When the folder does not read.
#[must_use]
pub fn mails_in(folder: &Path) -> Vec<ReceivedMail> {
    let Ok(entries) = std::fs::read_dir(folder.join("new")) else { return Vec::new() };
    let texts = entries.map(|entry| std::fs::read_to_string(entry.expect("it reads").path()).expect("it is text"));
    let mails = texts.map(|text| {
        let header = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim_matches([' ', '<', '>', '\r']).to_owned()
        };
        ReceivedMail { message_id: header("Message-ID:"), to: header("To:"), text }
    });
    mails.collect()
}

fn interpreter() -> Option<&'static str> {
    INTERPRETERS.into_iter().find(|interpreter| {
        let mut command = Command::new(interpreter);
        command.args(["-c", "import aiosmtpd"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}
