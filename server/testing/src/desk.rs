//! Which stores a whole desk under test is started on, as settings for the program.

use crate::{
    database_on,
    engine::{ADDRESS_FILE, POSTGRES, store_address},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The Redis that desks under test use as broker and view, each under a prefix of its own; without it they use what is built
/// in.
pub const REDIS: &str = "TRAMLINE_TEST_REDIS";
/// The relay that desks under test use: `polling` or `wal`.
pub const RELAY: &str = "TRAMLINE_TEST_RELAY";

/// Every setting of the program that somebody who runs tests may have set for something else.
pub const SETTINGS: [&str; 23] = [
    "TRAMLINE_DATA",
    "TRAMLINE_DATABASE",
    "TRAMLINE_CUSTOMERS_DATABASE",
    "TRAMLINE_ORDERS_DATABASE",
    "TRAMLINE_HISTORY_DATABASE",
    "TRAMLINE_NOTIFICATIONS_DATABASE",
    "TRAMLINE_REDIS",
    "TRAMLINE_REDIS_PREFIX",
    "TRAMLINE_RELAY",
    "TRAMLINE_ROLES",
    "TRAMLINE_CUSTOMERS_URL",
    "TRAMLINE_ORDERS_URL",
    "TRAMLINE_HISTORY_URL",
    "TRAMLINE_NOTIFICATIONS_URL",
    "TRAMLINE_MAIL",
    "TRAMLINE_MAIL_FROM",
    "TRAMLINE_MAIL_TO",
    "TRAMLINE_INTERNAL_SECRET",
    "TRAMLINE_LISTEN",
    "TRAMLINE_AUTH",
    "TRAMLINE_LOG",
    "TRAMLINE_LOG_FORMAT",
    "TRAMLINE_CONFIG",
];

/// The stores of a desk that belongs to a folder. The same folder gives the same stores again.
#[derive(Clone, Debug)]
pub struct DeskStores {
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl DeskStores {
    /// The stores of the desk in `folder`.
    ///
    /// # Panics
    /// When a server that the tests were told of refuses.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let mut settings = vec![("TRAMLINE_DATA", folder.display().to_string())];
        if std::env::var_os(POSTGRES).is_some() {
            std::fs::create_dir_all(folder).expect("a folder");
            settings.push(("TRAMLINE_DATABASE", store_address(folder, "desk")));
        }
        if let Ok(redis) = std::env::var(REDIS) {
            settings.push(("TRAMLINE_REDIS", redis));
            let name = folder.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            settings.push(("TRAMLINE_REDIS_PREFIX", format!("t{name}")));
        }
        if let Ok(relay) = std::env::var(RELAY) {
            settings.push(("TRAMLINE_RELAY", relay));
        }
        Self { folder: folder.to_owned(), settings }
    }

    /// The stores in `folder`, and these besides, whatever the tests were told of.
    #[must_use]
    pub fn on(folder: &Path, settings: Vec<(&'static str, String)>) -> Self {
        let own = ("TRAMLINE_DATA", folder.display().to_string());
        Self { folder: folder.to_owned(), settings: std::iter::once(own).chain(settings).collect() }
    }

    /// The settings that name them, as environment variables of the program.
    #[must_use]
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// The value of a setting.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The address of a service's database.
    #[must_use]
    pub fn database(&self, service: &str) -> String {
        match self.setting("TRAMLINE_DATABASE") {
            Some(server) => server.to_owned(),
            None => format!("sqlite:{}", self.folder.join(format!("{service}.db")).display()),
        }
    }

    /// Copies the databases of a desk that does not run, and what it has in Redis, to stores of another folder.
    ///
    /// # Panics
    /// When something is in the way.
    #[must_use]
    pub fn copy_to(&self, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("it is made");
        for entry in std::fs::read_dir(&self.folder).expect("it reads").map(|entry| entry.expect("it reads")) {
            // Folders hold no database.
            if entry.file_name() != ADDRESS_FILE && entry.file_type().expect("it reads").is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("it is copied");
            }
        }
        if let Some(address) = self.setting("TRAMLINE_DATABASE") {
            let (_, name) = address.rsplit_once('/').expect("an address with a database");
            let copy = database_on(&std::env::var(POSTGRES).expect("it named the server"), Some(name));
            std::fs::write(folder.join(ADDRESS_FILE), copy).expect("it is written");
        }
        let copy = Self::of(folder);
        if let (Some(url), Some(from), Some(to)) = (
            self.setting("TRAMLINE_REDIS"),
            self.setting("TRAMLINE_REDIS_PREFIX"),
            copy.setting("TRAMLINE_REDIS_PREFIX"),
        ) {
            copy_keys(url, from, to);
        }
        copy
    }
}

/// Copies every key of a prefix to another prefix. One step for a server that others use too, so only small desks are copied.
fn copy_keys(url: &str, from: &str, to: &str) {
    let script = "local keys = redis.call('KEYS', ARGV[1] .. ':*')
        for _, key in ipairs(keys) do redis.call('COPY', key, ARGV[2] .. string.sub(key, #ARGV[1] + 1)) end
        return #keys";
    let output = Command::new("redis-cli").args(["-u", url, "-e", "eval", script, "0", from, to]).output();
    let output = output.expect("redis-cli starts");
    assert!(output.status.success(), "the keys are copied: {}", String::from_utf8_lossy(&output.stderr));
}
