//! Settings: flags over environment over file over defaults.

use crate::cli::{ServeFlags, StoreFlags};
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tramline_db::Address;
use tramline_messages::services::{CUSTOMERS, HISTORY, NOTIFICATIONS, ORDERS};
use tramline_notifications::{MailAddresses, MailServer};

/// The site's settings, shared with the build.
const LEPTOS_TOML: &str = include_str!("../../Leptos.toml");
/// Read when it is there and no other file is named.
const DEFAULT_FILE: &str = "tramline.toml";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// How committed messages reach the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RelayKind {
    /// The outbox is read (*Polling publisher*).
    #[default]
    Polling,
    /// The log of PostgreSQL is read (*Transaction log tailing*).
    Wal,
}

/// What a process can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Credit accounts.
    Customers,
    /// Orders and their sagas.
    Orders,
    /// The view.
    History,
    /// E-mails to customers.
    Notifications,
    /// What browsers and programs speak to.
    Gateway,
}

impl Role {
    pub(crate) const ALL: [Self; 5] =
        [Self::Customers, Self::Orders, Self::History, Self::Notifications, Self::Gateway];
}

/// Where the stores are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stores {
    pub(crate) data: PathBuf,
    pub(crate) customers: Address,
    pub(crate) orders: Address,
    pub(crate) history: Address,
    /// The search view: beside the other one, in a file or schema of its own.
    pub(crate) search: Address,
    pub(crate) notifications: Address,
    pub(crate) redis: Option<RedisAddress>,
}

/// Which Redis, and which keys in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RedisAddress {
    pub(crate) url: String,
    pub(crate) prefix: String,
}

impl std::fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        f.debug_struct("RedisAddress").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Where services in other processes are, and what we prove ourselves by.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Peers {
    pub(crate) customers: Vec<String>,
    pub(crate) orders: Vec<String>,
    pub(crate) history: Vec<String>,
    pub(crate) notifications: Vec<String>,
    pub(crate) secret: Option<String>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { customers, orders, history, notifications, secret: _ } = self;
        f.debug_list().entries([customers, orders, history, notifications]).finish()
    }
}

/// How customers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mails {
    pub(crate) server: MailServer,
    pub(crate) addresses: MailAddresses,
}

/// Everything that `serve` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) stores: Stores,
    pub(crate) relay: RelayKind,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) peers: Peers,
    pub(crate) mails: Mails,
    pub(crate) listen: SocketAddr,
    pub(crate) log_format: LogFormat,
    pub(crate) log: String,
}

/// The file.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    database: Option<String>,
    customers_database: Option<String>,
    orders_database: Option<String>,
    history_database: Option<String>,
    notifications_database: Option<String>,
    redis: Option<String>,
    redis_prefix: Option<String>,
    relay: Option<RelayKind>,
    roles: Option<Vec<Role>>,
    customers_url: Option<Vec<String>>,
    orders_url: Option<Vec<String>>,
    history_url: Option<Vec<String>>,
    notifications_url: Option<Vec<String>>,
    internal_secret: Option<String>,
    mail: Option<String>,
    mail_from: Option<String>,
    mail_to: Option<String>,
    listen: Option<SocketAddr>,
    log_format: Option<LogFormat>,
    log: Option<String>,
}

impl Stores {
    /// The stores that flags, environment and the default file name, for commands beside `serve`.
    pub(crate) fn load(flags: StoreFlags) -> anyhow::Result<Self> {
        Ok(Config::load(ServeFlags { stores: flags, ..ServeFlags::default() })?.stores)
    }

    fn resolve(flags: StoreFlags, file: &mut File) -> anyhow::Result<Self> {
        let data = flags.data.or(file.data.take()).unwrap_or_else(|| PathBuf::from("data"));
        let shared = flags.database.or(file.database.take());
        let address = |own: Option<String>, service: &str| match (own, &shared) {
            (Some(own), _) => Address::parse(&own).with_context(|| format!("--{service}-database")),
            (None, Some(shared)) => match Address::parse(shared).context("--database")? {
                Address::Sqlite(folder) => Ok(Address::Sqlite(folder.join(format!("{service}.db")))),
                server @ Address::Postgres(_) => Ok(server),
            },
            (None, None) => Ok(Address::Sqlite(data.join(format!("{service}.db")))),
        };
        let prefix = flags.redis_prefix.or(file.redis_prefix.take()).unwrap_or_else(|| "tramline".to_owned());
        ensure!(
            !prefix.is_empty() && prefix.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
            "--redis-prefix takes letters, digits, dots, dashes and underscores"
        );
        let redis = flags.redis.or(file.redis.take()).map(|url| RedisAddress { url, prefix });
        let history = address(flags.history_database.or(file.history_database.take()), HISTORY)?;
        Ok(Self {
            customers: address(flags.customers_database.or(file.customers_database.take()), CUSTOMERS)?,
            orders: address(flags.orders_database.or(file.orders_database.take()), ORDERS)?,
            search: match &history {
                Address::Sqlite(file) => Address::Sqlite(file.with_file_name("search.db")),
                server @ Address::Postgres(_) => server.clone(),
            },
            history,
            notifications: address(flags.notifications_database.or(file.notifications_database.take()), NOTIFICATIONS)?,
            data,
            redis,
        })
    }

    pub(crate) fn all(&self) -> [&Address; 4] {
        [&self.customers, &self.orders, &self.history, &self.notifications]
    }
}

impl Mails {
    fn resolve(server: Option<String>, from: Option<String>, to: Option<String>) -> anyhow::Result<Self> {
        let server = MailServer::parse(server.as_deref().unwrap_or("files")).context("--mail")?;
        // What goes out to people must not come from, or go to, a domain that does not exist.
        ensure!(
            !server.is_server() || (from.is_some() && to.is_some()),
            "mails to a server need --mail-from, such as orders@example.org, and --mail-to, such as customer-{{id}}@example.org"
        );
        let from = from.as_deref().unwrap_or(MailAddresses::DEFAULT_FROM);
        let addresses = MailAddresses::parse(from, to.as_deref().unwrap_or(MailAddresses::DEFAULT_TO));
        Ok(Self { server, addresses: addresses.context("--mail-from and --mail-to")? })
    }
}

impl Config {
    /// Puts the layers together.
    pub(crate) fn load(flags: ServeFlags) -> anyhow::Result<Self> {
        let mut file = match &flags.config {
            Some(path) => read_file(path)?,
            None if Path::new(DEFAULT_FILE).exists() => read_file(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        let config = Self {
            stores: Stores::resolve(flags.stores, &mut file)?,
            relay: flags.relay.or(file.relay).unwrap_or_default(),
            roles: flags.roles.or(file.roles).unwrap_or_else(|| Role::ALL.to_vec()).into_iter().collect(),
            peers: Peers {
                customers: flags.customers_url.or(file.customers_url).unwrap_or_default(),
                orders: flags.orders_url.or(file.orders_url).unwrap_or_default(),
                history: flags.history_url.or(file.history_url).unwrap_or_default(),
                notifications: flags.notifications_url.or(file.notifications_url).unwrap_or_default(),
                secret: flags.internal_secret.or(file.internal_secret),
            },
            mails: Mails::resolve(
                flags.mail.or(file.mail),
                flags.mail_from.or(file.mail_from),
                flags.mail_to.or(file.mail_to),
            )?,
            listen: match flags.listen.or(file.listen) {
                Some(listen) => listen,
                None => default_listen()?,
            },
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            log: flags.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
        };
        config.fits_together()?;
        Ok(config)
    }

    /// Whether this process is every part of the desk.
    pub(crate) fn is_whole(&self) -> bool {
        Role::ALL.iter().all(|role| self.roles.contains(role))
    }

    fn fits_together(&self) -> anyhow::Result<()> {
        ensure!(
            !self.roles.is_empty(),
            "--roles needs at least one of customers, orders, history, notifications and gateway"
        );
        if self.roles.contains(&Role::Gateway) && !self.listen.ip().is_loopback() {
            bail!(
                "{} can be reached from other machines, but there is no sign-in to keep them out; \
                 listen on a loopback address such as 127.0.0.1:{}",
                self.listen,
                self.listen.port()
            );
        }
        if !self.is_whole() {
            ensure!(
                self.stores.redis.is_some(),
                "a process with some roles only reaches the others over Redis: add --redis, or leave --roles out"
            );
            ensure!(
                self.peers.secret.is_some(),
                "processes of one desk share a secret: set TRAMLINE_INTERNAL_SECRET to the same 32 characters or more in each"
            );
        }
        if self.roles.contains(&Role::Gateway) {
            let away = [
                (Role::Customers, &self.peers.customers, "--customers-url"),
                (Role::Orders, &self.peers.orders, "--orders-url"),
                (Role::History, &self.peers.history, "--history-url"),
                (Role::Notifications, &self.peers.notifications, "--notifications-url"),
            ];
            for (role, addresses, flag) in away {
                ensure!(
                    self.roles.contains(&role) || !addresses.is_empty(),
                    "the gateway must know where the {role:?} service is: add {flag}"
                );
            }
        }
        if self.relay == RelayKind::Wal {
            let tails = [(Role::Customers, &self.stores.customers), (Role::Orders, &self.stores.orders)];
            let sqlite =
                tails.iter().any(|(role, address)| self.roles.contains(role) && matches!(address, Address::Sqlite(_)));
            ensure!(!sqlite, "--relay wal reads the log of PostgreSQL: add --database postgres://…, or leave it out");
        }
        Ok(())
    }
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a settings file", path.display()))
}

/// The address that the site was built for.
fn default_listen() -> anyhow::Result<SocketAddr> {
    let table: toml::Table = toml::from_str(LEPTOS_TOML).context("Leptos.toml does not read")?;
    table
        .get("workspace")
        .and_then(|workspace| {
            workspace.get("metadata")?.get("leptos")?.get(0)?.get("site-addr")?.as_str()?.parse().ok()
        })
        .context("Leptos.toml has no site-addr")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(config: &Path) -> ServeFlags {
        ServeFlags { config: Some(config.to_owned()), ..ServeFlags::default() }
    }

    fn load(text: &str) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, text).expect("it is written");
        Config::load(flags(&path))
    }

    fn refusal(text: &str) -> String {
        format!("{:#}", load(text).expect_err("it is refused"))
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "data = \"/srv/desk\"\nlisten = \"127.0.0.1:4000\"\n").expect("it is written");
        let listen = Some("127.0.0.1:5000".parse().expect("an address"));
        let config = Config::load(ServeFlags { listen, ..flags(&path) }).expect("it loads");
        assert_eq!(config.listen.port(), 5_000);
        assert_eq!(config.stores.orders, Address::Sqlite("/srv/desk/orders.db".into()));
        assert_eq!(config.log, "info");
        assert!(config.is_whole());
    }

    #[test]
    fn one_database_serves_all_and_a_service_may_have_its_own() {
        let config = load("database = \"postgres://db/desk\"\norders-database = \"postgres://other/orders\"\n");
        let Stores { customers, orders, .. } = config.expect("it loads").stores;
        assert_eq!(customers, Address::Postgres("postgres://db/desk".to_owned()));
        assert_eq!(orders, Address::Postgres("postgres://other/orders".to_owned()));
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_what_to_do() {
        assert!(refusal("roles = [\"orders\"]").contains("--redis"));
        assert!(refusal("roles = [\"orders\"]\nredis = \"redis://r\"").contains("TRAMLINE_INTERNAL_SECRET"));
        let lonely = "roles = [\"gateway\"]\nredis = \"redis://r\"\ninternal-secret = \"s\"";
        assert!(refusal(lonely).contains("--customers-url"));
        assert!(refusal("relay = \"wal\"").contains("--database"));
        assert!(refusal("mail = \"smtp://mail\"").contains("--mail-from"));
        assert!(refusal("mail = \"carrier pigeon\"").contains("--mail"));
        assert!(refusal("mail-to = \"all@example.org\"").contains("{id}"));
        assert!(refusal("database = \"mysql://db\"").contains("--database"));
        assert!(refusal("dta = \"x\"").contains("dta"));
    }

    #[test]
    fn without_any_setting_the_desk_listens_where_the_site_was_built_for() {
        assert_eq!(default_listen().expect("it is there").to_string(), "127.0.0.1:3000");
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_without_sign_in() {
        let listen = Some("0.0.0.0:3000".parse().expect("an address"));
        assert!(Config::load(ServeFlags { listen, ..ServeFlags::default() }).is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = "redis = \"redis://:hush@r\"\ninternal-secret = \"hush\"\nmail = \"smtp://desk:hush@mail\"\n\
            mail-from = \"desk@example.org\"\nmail-to = \"{id}@example.org\"";
        let config = load(text).expect("it loads");
        assert!(!format!("{config:?}").contains("hush"));
    }
}
