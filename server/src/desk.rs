//! A running desk, as the commands of an operator ask it. It decides nothing: what may be done, the server says.

use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tramline_http::{Call, CallError, ServiceClient};

/// How long the server may take: a retry of parked messages handles up to 200 of them.
const ANSWER_MAX: Duration = Duration::from_secs(70);

/// The server, and how its answers are printed.
pub(crate) struct Desk {
    server: ServiceClient,
    url: String,
    /// Whether answers are printed as they come.
    json: bool,
}

impl Desk {
    /// The desk whose server listens there. Nothing is sent yet.
    pub(crate) fn at(url: &str, json: bool) -> anyhow::Result<Self> {
        let server = ServiceClient::remote("the server", url).context("--url must look like http://127.0.0.1:3000")?;
        Ok(Self { server, url: url.to_owned(), json })
    }

    /// A read, to be told of.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.server.get(path)
    }

    /// A command, to be told of.
    pub(crate) fn post_json<T: Serialize>(&self, path: &str, body: &T) -> Call {
        self.server.post_json(path, body)
    }

    /// Sends a call and prints the answer.
    pub(crate) async fn tell<T: DeserializeOwned>(&self, call: Call, show: impl FnOnce(&T)) -> anyhow::Result<()> {
        self.told(call, show).await.map(drop)
    }

    /// As [`Desk::tell`], for who has to decide something by the answer.
    pub(crate) async fn told<T: DeserializeOwned>(&self, call: Call, show: impl FnOnce(&T)) -> anyhow::Result<T> {
        let answer = match call.within(ANSWER_MAX).send().await {
            Err(error @ CallError::Unreachable { .. }) => {
                let url = &self.url;
                return Err(error)
                    .with_context(|| format!("no server answers at {url}; start one with `tramline serve`"));
            }
            answer => answer?.granted()?,
        };
        let read = answer.json()?;
        if self.json {
            println!("{}", String::from_utf8_lossy(&answer.body));
        } else {
            show(&read);
        }
        Ok(read)
    }
}

/// Where a list goes on, as a part of its query.
pub(crate) fn after(cursor: Option<String>) -> String {
    cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default()
}
