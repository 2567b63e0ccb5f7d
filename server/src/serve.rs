//! `tramline serve`: listen, announce, wait, drain.

use crate::{cli::ServeFlags, compose::Desk, config::Config, lock::FolderLock, logging};
use anyhow::Context as _;
use std::{collections::BTreeSet, path::Path, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tramline_db::Address;

/// How long requests in progress may take to end once we are told to stop. A kill at any moment is safe too.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(flags: ServeFlags) -> anyhow::Result<()> {
    let config = Config::load(flags)?;
    logging::install(&config.log, config.log_format)?;
    let _locks = lock_files(&config)?;
    // The address first: a port that is taken should not cost a start of everything.
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;

    let stop = CancellationToken::new();
    let metrics = tramline_gateway::install_metrics().context("the metrics could not be set up")?;
    let desk = Desk::start(&config, Some(metrics), stop.clone()).await?;
    let router = desk.router.clone();
    let server = tokio::spawn(tramline_http::serve(listener, router, stop.clone()));
    tracing::info!(%address, "tramline is ready");
    println!("Tramline is ready at http://{address}");

    stopped().await?;
    tracing::info!("stopping");
    stop.cancel();
    let drain = async {
        let _ = server.await;
        desk.stop().await;
    };
    if tokio::time::timeout(DRAIN, drain).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    Ok(())
}

/// One process per SQLite file: its folder is locked.
fn lock_files(config: &Config) -> anyhow::Result<Vec<FolderLock>> {
    let folder = |address: &Address| match address {
        Address::Sqlite(file) => Some(file.parent().unwrap_or(Path::new(".")).to_owned()),
        Address::Postgres(_) => None,
    };
    let folders: BTreeSet<_> = config.stores.all().into_iter().filter_map(folder).collect();
    folders.iter().map(|folder| FolderLock::take(folder)).collect()
}

async fn stopped() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
