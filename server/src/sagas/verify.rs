//! `tramline sagas verify`: tells before a deployment which running sagas this program could not resume.
//!
//! It reads the database in use as it is and changes nothing, not even its schema. What can be resumed, the engine says.

use crate::{cli::StoreFlags, compose, config::Stores};
use anyhow::{bail, ensure};
use tramline_db::Address;
use tramline_sagas::{Finding, Verdict, has_plans, verify};

/// Verifies, prints a table, and fails when a saga would be stuck.
pub(super) async fn run(flags: StoreFlags) -> anyhow::Result<()> {
    let stores = Stores::load(flags)?;
    if let Address::Sqlite(file) = &stores.orders {
        ensure!(file.is_file(), "there is no {}; name the folder of the databases with --data", file.display());
    }
    let database = compose::orders_as_they_are(&stores).await?;
    let verified = match has_plans(&database).await {
        Ok(true) => verify(&database, &tramline_orders::definitions()).await,
        other => other.map(|_| Vec::new()),
    };
    let knows = has_plans(&database).await;
    database.close().await;
    ensure!(knows?, "this database is older than plans of sagas, so nothing can be told of them");
    let findings = verified?;
    print(&findings);
    let stuck = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Stuck(_)));
    match stuck.map(|finding| finding.count).sum::<usize>() {
        0 => Ok(()),
        stuck => bail!("{stuck} running sagas could not be resumed by this program"),
    }
}

fn print(findings: &[Finding]) {
    if findings.is_empty() {
        println!("no saga is under way");
        return;
    }
    println!("{:<20}{:<18}{:>8}  verdict", "saga", "plan", "count");
    for Finding { kind, fingerprint, verdict, count, examples } in findings {
        let plan = if fingerprint.is_empty() { "-" } else { fingerprint };
        println!("{kind:<20}{plan:<18}{count:>8}  {}", words(verdict));
        if matches!(verdict, Verdict::Stuck(_)) {
            let examples: Vec<String> = examples.iter().map(ToString::to_string).collect();
            println!("{:<48}such as {}", "", examples.join(", "));
        }
    }
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same => "same plan".to_owned(),
        Verdict::GoesOn => "another plan; goes on".to_owned(),
        Verdict::NoPlan => "older than plans; taken to be the same".to_owned(),
        Verdict::Stuck(why) => format!("cannot be resumed: {why}"),
    }
}
