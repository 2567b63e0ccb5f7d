//! Private servers for tests: a PostgreSQL cluster, a Redis and a mail server of their own, on ports of their own, ended with the test.
//!
//! A test that needs a server which this machine lacks says so aloud and passes; with `TRAMLINE_REQUIRE_SERVERS=1` it
//! fails instead.

mod desk;
mod engine;
mod port;
mod postgres;
mod process;
mod redis;
mod smtp;
mod stopwatch;

pub use desk::{DeskStores, REDIS, RELAY, SETTINGS};
pub use engine::{POSTGRES, required, store_address};
pub use port::free_port;
pub use postgres::{Disk, PrivatePostgres, database_on, psql};
pub use process::{Process, Signal};
pub use redis::{PrivateRedis, RedisOptions};
pub use smtp::{PrivateSmtp, ReceivedMail, mails_in};
pub use stopwatch::Stopwatch;
