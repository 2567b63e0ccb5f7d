//! Which engine the stores of a test lie on.

use crate::database_on;
use std::path::Path;

/// The server that tests keep their stores on, each test in a database of its own; without it they use SQLite.
/// `cargo xtask test` runs the tests both ways.
pub const POSTGRES: &str = "TRAMLINE_TEST_POSTGRES";

/// Where a folder remembers which database belongs to it.
pub(crate) const ADDRESS_FILE: &str = "postgres-address";

/// The address of a test's store: `sqlite:` a file in the test's folder, or a PostgreSQL database that belongs to the
/// folder. The same folder gives the same database again.
///
/// # Panics
/// When the folder or the server refuses.
#[must_use]
pub fn store_address(folder: &Path, name: &str) -> String {
    let Ok(server) = std::env::var(POSTGRES) else {
        return format!("sqlite:{}", folder.join(format!("{name}.db")).display());
    };
    let known = folder.join(ADDRESS_FILE);
    if let Ok(address) = std::fs::read_to_string(&known) {
        return address;
    }
    let address = database_on(&server, None);
    std::fs::write(known, &address).expect("the test's folder takes a file");
    address
}

/// Passes a server on; says aloud that a test is skipped when there is none.
///
/// # Panics
/// When there is none and `TRAMLINE_REQUIRE_SERVERS` is set.
#[must_use]
pub fn required<T>(what: &str, server: Option<T>) -> Option<T> {
    if server.is_none() {
        assert!(std::env::var_os("TRAMLINE_REQUIRE_SERVERS").is_none(), "{what} is not installed and tests require it");
        eprintln!("SKIPPED: {what} is not installed, so what this test says of it was not tried");
    }
    server
}
