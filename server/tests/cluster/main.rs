//! The processes of `deploy/processes.toml` over private servers: work is shared, deaths and standstills are borne, and whatever
//! is done to processes, PostgreSQL and Redis, nothing that was accepted is lost, doubled or out of order.

mod chaos;
mod composition;
mod failover;
mod fleet;
mod gateway;
mod history;
mod load;
mod operations;
mod processes;
mod socket;
mod zombies;

/// One desk at a time: ten processes and two servers are enough for a machine.
async fn turn() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}
