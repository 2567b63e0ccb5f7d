//! A program under test as a process of its own, to be killed, stopped and continued.
//!
//! The program is a child of a small shell that waits for the end of its input: when the test ends in any way, even killed, the
//! input closes and the shell ends the program by its number.

use crate::{SETTINGS, Stopwatch};
use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Starts the program and kills it when the input ends, unless a line says before that it is gone: its number may be somebody
/// else's then. Only the program keeps the output open.
///
/// The process tells its number itself and only then becomes the program: told by the shell that started it, the number could
/// come after what the program says first.
const KEEPER: &str = r#"exec 3<&0
sh -c 'echo "$$"; exec "$@"' start "$@" </dev/null 3<&- &
server=$!
exec >&-
read -r line <&3 || kill -9 "$server"
wait"#;
/// How a server says where it listens.
const READY: &str = "is ready at http://";
/// How long a process that was killed may take to be gone.
const END_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What can be sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It ends at once, without a chance to tidy up.
    Kill,
    /// It is asked to end.
    Terminate,
    /// It stands still, its connections open.
    Stop,
    /// It goes on as if no time had passed.
    Continue,
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    keeper: Child,
    id: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    address: Option<String>,
    ended: bool,
}

impl Process {
    /// Starts a program with these settings and none that whoever runs the tests may have set. What it writes to standard error
    /// goes to the end of `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(program: impl AsRef<OsStr>, arguments: &[&str], settings: &[(String, String)], log: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("the log opens");
        let mut command = Command::new("sh");
        for name in SETTINGS {
            command.env_remove(name);
        }
        command.args(["-c", KEEPER, "keeper"]).arg(program).args(arguments).envs(settings.iter().cloned());
        let mut keeper =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("a shell starts");
        let mut output = BufReader::new(keeper.stdout.take().expect("it has an output"));
        let mut id = String::new();
        output.read_line(&mut id).expect("the process tells its number");
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || listen(output, &shared));
        Self { keeper, id: id.trim().to_owned(), seen }
    }

    /// Where it listens, once it has said so.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.seen().address.clone()
    }

    /// Whether it is gone, for whatever reason.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.seen().ended
    }

    /// Sends a signal to it and to nobody else.
    ///
    /// # Panics
    /// When there is no `kill`.
    pub fn signal(&self, signal: Signal) {
        if self.has_ended() {
            return;
        }
        let name = match signal {
            Signal::Kill => "-KILL",
            Signal::Terminate => "-TERM",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        // It may end in this moment; until the shell has awaited it, nobody else gets its number.
        let sent = Command::new("kill").args([name, &self.id]).stderr(Stdio::null()).status();
        sent.expect("there is a kill command");
    }

    /// Kills it and waits until it is gone.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(self) {
        self.signal(Signal::Kill);
        self.await_end();
    }

    /// Waits until it is gone.
    ///
    /// # Panics
    /// When it does not end.
    pub fn await_end(&self) {
        let watch = Stopwatch::start();
        while !self.has_ended() {
            assert!(watch.elapsed() < END_MAX, "process {} does not end", self.id);
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(output: BufReader<ChildStdout>, seen: &Mutex<Seen>) {
    let lock = || seen.lock().unwrap_or_else(PoisonError::into_inner);
    for line in output.lines().map_while(Result::ok) {
        if let Some((_, address)) = line.split_once(READY) {
            lock().address = Some(address.to_owned());
        }
    }
    lock().ended = true;
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut input) = self.keeper.stdin.take()
            && self.has_ended()
        {
            // A shell that is gone has nothing left to do.
            let _ = input.write_all(b"gone\n");
        }
        // The shell has killed the program then; whether it can be awaited changes nothing.
        let _ = self.keeper.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many at once as no machine has processors for.
    const PROGRAMS: usize = 100;
    /// How long a busy machine may take to start them all.
    const START_MAX: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_that_speaks_at_once_is_heard_on_a_busy_machine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("log");
        let start = |number: usize| {
            let address = format!("127.0.0.1:{number}");
            // It shows its number too, and stays until it is killed.
            let words = ["-c", r#"echo "is ready at http://$1 as $$"; exec sleep 600"#, "program", &address];
            Process::start("sh", &words, &[], &log)
        };
        let programs: Vec<Process> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..PROGRAMS).map(|number| scope.spawn(move || start(number))).collect();
            starting.into_iter().map(|program| program.join().expect("it starts")).collect()
        });
        let watch = Stopwatch::start();
        for (number, program) in programs.iter().enumerate() {
            while program.address().is_none() {
                assert!(
                    watch.elapsed() < START_MAX,
                    "program {number} was not heard, and its number is {}",
                    program.id
                );
                std::thread::sleep(LOOK_EVERY);
            }
            assert_eq!(program.address(), Some(format!("127.0.0.1:{number} as {}", program.id)));
        }
        programs.into_iter().for_each(Process::kill);
    }
}
