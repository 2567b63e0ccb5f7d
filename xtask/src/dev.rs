//! `cargo xtask dev`: a quick build that follows the sources; the page reloads itself (see `reload.js`).

use std::{
    path::Path,
    process::{Child, Command},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use crate::{
    process,
    settings::Settings,
    site::{self, Mode},
    stopwatch::Stopwatch,
    workspace,
};

const WATCHED: [&str; 3] = ["app", "style", "server"];

/// How long sources must rest: an editor writes a file in several steps, and a change of branch many files.
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
    let mut watcher = notify::recommended_watcher(sender).context("files can't be watched here")?;
    for folder in WATCHED {
        let path = workspace::path(folder);
        watcher.watch(&path, RecursiveMode::Recursive).with_context(|| format!("{folder} can't be watched"))?;
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
        if work.server || server.try_wait()?.is_some() {
            stop(server)?;
            thread::sleep(ABSENCE);
            server = start(&settings, flags)?;
        }
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

/// Without optimisation the server reads the site from its folder, so a change of the site alone leaves it running.
fn build(settings: &Settings, work: Work) -> Result<()> {
    if work.site {
        site::build(Mode::Dev)?;
    }
    if work.server {
        process::run(workspace::cargo().args(["build", "--package", &settings.bin_package]))?;
    }
    Ok(())
}

fn start(settings: &Settings, flags: &[String]) -> Result<Child> {
    let binary = settings.debug_binary();
    let mut serve = Command::new(&binary);
    serve.arg("serve").args(flags).current_dir(workspace::root());
    serve.spawn().with_context(|| format!("{} can't be started", binary.display()))
}

/// Blocks until sources have changed and rest again; says so when the server ends meanwhile.
fn wait_for_work(changes: &Receiver<notify::Result<Event>>, server: &mut Child) -> Result<Work> {
    let mut work = Work::default();
    let mut runs = true;
    loop {
        let patience = if work == Work::default() { GLANCE } else { QUIET };
        match changes.recv_timeout(patience) {
            // A build reads the sources, and that alone is no change.
            Ok(Ok(event)) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(Ok(event)) => work = event.paths.iter().map(|path| Work::after(path)).fold(work, Work::and),
            Ok(Err(error)) => eprintln!("---- a change may have been missed: {error}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the files are no longer watched"),
            Err(RecvTimeoutError::Timeout) if work != Work::default() => return Ok(work),
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
    if server.try_wait()?.is_some() {
        return Ok(());
    }
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
