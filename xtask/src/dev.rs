//! `cargo xtask dev`: a quick build that follows the sources; the page reloads itself (see `reload.js`).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use notify_debouncer_mini::{DebounceEventResult, new_debouncer, notify::RecursiveMode};

use crate::{
    process,
    settings::Settings,
    site::{self, Mode},
    stopwatch::Stopwatch,
    workspace,
};

const WATCHED: [&str; 3] = ["app", "style", "server"];

/// An editor may write a file in several steps, and a branch switch many files.
const QUIET: Duration = Duration::from_millis(200);

/// How often to look whether the server still runs.
const GLANCE: Duration = Duration::from_millis(500);

/// The page looks for the server every 400 ms; this long an absence it can't miss.
const ABSENCE: Duration = Duration::from_millis(600);

/// How long a server may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Builds, serves, watches, until it is interrupted.
pub fn dev(flags: &[String]) -> Result<()> {
    let settings = Settings::read()?;
    let (sender, changes) = mpsc::channel();
    let mut watcher = new_debouncer(QUIET, sender).context("files can't be watched here")?;
    for folder in WATCHED {
        let path = workspace::path(folder);
        watcher
            .watcher()
            .watch(&path, RecursiveMode::Recursive)
            .with_context(|| format!("{folder} can't be watched"))?;
    }
    build(&settings, Work { site: true, server: true })?;
    let mut server = start(&settings, flags)?;
    loop {
        let work = wait_for_work(&changes, &mut server)?;
        let watch = Stopwatch::start();
        if let Err(error) = build(&settings, work) {
            // The last server that could be built goes on.
            eprintln!("---- {error:#}; waiting for the next change");
            continue;
        }
        println!("---- Built again in {}", watch.elapsed());
        stop(server)?;
        thread::sleep(ABSENCE);
        server = start(&settings, flags)?;
    }
}

/// What a change asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Work {
    site: bool,
    server: bool,
}

impl Work {
    /// Both sides share `app/contract`; what isn't a source asks for nothing.
    fn after(changed: &Path) -> Self {
        const SOURCES: [&str; 10] = ["rs", "toml", "css", "html", "js", "svg", "png", "woff2", "sql", "webmanifest"];
        let relative = changed.strip_prefix(workspace::root()).unwrap_or(changed);
        if !relative.extension().is_some_and(|extension| SOURCES.iter().any(|source| extension == *source)) {
            return Self::default();
        }
        let server = relative.starts_with("server") || relative.starts_with("app/contract");
        let site = relative.starts_with("app") || relative.starts_with("style");
        Self { site, server }
    }

    fn and(self, other: Self) -> Self {
        Self { site: self.site || other.site, server: self.server || other.server }
    }
}

/// The server carries the site inside, so it is built again in any case; that takes cargo a moment.
fn build(settings: &Settings, work: Work) -> Result<()> {
    if work.site {
        site::build(Mode::Dev)?;
    }
    process::run(workspace::cargo().args(["build", "--package", &settings.bin_package]))
}

fn start(settings: &Settings, flags: &[String]) -> Result<Child> {
    let binary = settings.debug_binary();
    let mut serve = Command::new(&binary);
    serve.arg("serve").args(flags).current_dir(workspace::root());
    serve.spawn().with_context(|| format!("{} can't be started", binary.display()))
}

/// Blocks until sources have changed; says so when the server ends meanwhile.
fn wait_for_work(changes: &Receiver<DebounceEventResult>, server: &mut Child) -> Result<Work> {
    let mut runs = true;
    loop {
        match changes.recv_timeout(GLANCE) {
            Ok(Ok(events)) => {
                let paths: BTreeSet<PathBuf> = events.into_iter().map(|event| event.path).collect();
                let work = paths.iter().map(|path| Work::after(path)).fold(Work::default(), Work::and);
                if work != Work::default() {
                    return Ok(work);
                }
            }
            Ok(Err(error)) => eprintln!("---- a change may have been missed: {error}"),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the files are no longer watched"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if runs && let Some(status) = server.try_wait()? {
            eprintln!("---- The server ended ({status}); waiting for the next change");
            runs = false;
        }
    }
}

/// Asks the server to end, as a supervisor would, and makes it end when it doesn't.
fn stop(mut server: Child) -> Result<()> {
    let pid = server.id().to_string();
    let asked = process::succeeds(Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid]));
    let watch = Stopwatch::start();
    while asked && server.try_wait()?.is_none() && watch.elapsed().duration() < GRACE {
        thread::sleep(Duration::from_millis(20));
    }
    // Killing one that has ended is an error that says just that.
    let _ = server.kill();
    server.wait().context("the server can't be awaited")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(path: &str) -> Work {
        Work::after(&workspace::path(path))
    }

    #[test]
    fn a_change_is_built_where_it_matters() {
        assert_eq!(after("style/tokens.css"), Work { site: true, server: false });
        assert_eq!(after("server/db/src/lib.rs"), Work { site: false, server: true });
        assert_eq!(after("app/contract/src/money.rs"), Work { site: true, server: true });
    }

    #[test]
    fn what_an_editor_leaves_behind_builds_nothing() {
        assert_eq!(after("app/src/.lib.rs.swp"), Work::default());
        assert_eq!(after("server/data/orders.db"), Work::default());
    }
}
