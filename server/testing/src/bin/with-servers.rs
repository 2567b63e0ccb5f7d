//! Runs a command beside a private PostgreSQL and a private Redis, and tells it where they are.
//!
//! `cargo run -p tramline-testing -- postgres cargo nextest run` keeps the stores of tests on PostgreSQL;
//! `-- postgres redis …` has whole desks use Redis as well. Ends with the command's own code. Where a server is not
//! installed, says so aloud and runs nothing; with `TRAMLINE_REQUIRE_SERVERS=1` that is an error.

use std::{
    process::{Command, ExitCode},
    time::Duration,
};
use tramline_testing::{Disk, POSTGRES, PrivatePostgres, PrivateRedis, REDIS, required};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let (mut postgres, mut redis) = (None, None);
    let mut environment = Vec::new();
    loop {
        match arguments.peek().map(String::as_str) {
            Some("postgres") => {
                let Some(server) = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced)) else {
                    return skipped();
                };
                environment.push((POSTGRES, server.url("postgres")));
                postgres = Some(server);
            }
            Some("redis") => {
                let Some(server) = PrivateRedis::start().await else { return skipped() };
                environment.push((REDIS, server.url()));
                redis = Some(server);
            }
            _ => break,
        }
        arguments.next();
    }
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-servers [postgres] [redis] PROGRAM [ARGUMENTS]");
        return ExitCode::from(2);
    };
    let mut command = match Command::new(&program).args(arguments).envs(environment).spawn() {
        Ok(command) => command,
        Err(error) => {
            eprintln!("{program} cannot be started: {error}");
            return ExitCode::from(2);
        }
    };
    let code = loop {
        match command.try_wait() {
            Ok(Some(status)) => break status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
            Ok(None) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(_) => break 1,
        }
    };
    drop((postgres, redis));
    ExitCode::from(code)
}

/// Nothing was run, and nothing is wrong: whoever reads the output can tell by this line.
fn skipped() -> ExitCode {
    println!("with-servers: SKIPPED");
    ExitCode::SUCCESS
}
