//! `cargo xtask chaos`: faults upon real processes and servers for as long as asked, with proofs in between.

use anyhow::Result;

use crate::{process, run, tools, workspace};

/// Where the suite lies in the tests of the server's package.
const TEST: &str = "chaos::no_fault_loses_an_accepted_order_or_decides_one_twice";

/// Builds the optimised server and runs the fault suite against it.
pub fn chaos(seed: u64, minutes: u64) -> Result<()> {
    tools::wasm_target()?;
    tools::servers();
    let binary = run::build()?;
    let mut cargo = workspace::cargo();
    cargo.args(["test", "-p", "tramline", "--test", "cluster", "--", "--nocapture", "--exact", TEST]);
    cargo.env("TRAMLINE_BIN", binary).env("TRAMLINE_REQUIRE_SERVERS", "1").env("TRAMLINE_CHAOS_STRICT", "1");
    cargo.env("TRAMLINE_CHAOS_SEED", seed.to_string()).env("TRAMLINE_CHAOS_SECONDS", (60 * minutes).to_string());
    process::run(&mut cargo)
}
