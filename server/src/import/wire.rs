//! Talks to the server and insists: every command carries its own id, so sending it again is safe.

use anyhow::{Context as _, anyhow, ensure};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tramline_contract::Problem;
use tramline_http::{Answer, Call, CallError, ServiceClient};

/// Tries per request. With the waits below that is some 40 seconds: longer than a restart of the server takes.
const ATTEMPTS_MAX: u32 = 12;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A server that was seen to answer.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    server: ServiceClient,
}

impl Wire {
    /// Makes sure that somebody is there before anything is sent.
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let server = ServiceClient::remote("the server", url);
        let server = server.context("--url must look like http://127.0.0.1:3000")?;
        let health = server.get("/healthz").send().await;
        let health = health.with_context(|| format!("no server answers at {url}; start one with `tramline serve`"))?;
        ensure!(health.status.is_success(), "the server at {url} answered {} when asked for its health", health.status);
        Ok(Self { server })
    }

    /// Whether there is such a thing.
    pub(super) async fn exists(&self, path: &str) -> anyhow::Result<bool> {
        Ok(self.insist(|| self.server.get(path)).await?.status.is_success())
    }

    /// Reads a document; `None` when there is none.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        let answer = self.insist(|| self.server.get(path)).await?;
        if answer.status.as_u16() == 404 {
            return Ok(None);
        }
        Ok(Some(answer.granted()?.json()?))
    }

    /// Sends a command. The inner error is the server's refusal of this very command.
    pub(super) async fn send<T: Serialize>(&self, path: &str, command: &T) -> anyhow::Result<Result<(), Box<Problem>>> {
        match self.insist(|| self.server.post_json(path, command)).await?.granted() {
            Ok(_) => Ok(Ok(())),
            Err(CallError::Refused(problem)) => Ok(Err(problem)),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks until there is an answer that another try would not change.
    async fn insist(&self, call: impl Fn() -> Call) -> anyhow::Result<Answer> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let failure = match call().send().await {
                Ok(answer) if may_pass(&answer) => anyhow!("it answers {}", answer.status),
                Ok(answer) => return Ok(answer),
                Err(error) if error.may_pass() => error.into(),
                Err(error) => return Err(error.into()),
            };
            if attempt >= ATTEMPTS_MAX {
                return Err(failure.context("the server does not carry on; run the import again to go on from here"));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        unreachable!("the last attempt returns")
    }
}

/// Whether the server may answer otherwise soon: it is overloaded, stopping, or had a fault of its own.
fn may_pass(answer: &Answer) -> bool {
    answer.status.is_server_error() || answer.status.as_u16() == 429
}
