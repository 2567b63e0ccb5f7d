//! Serves a router on a listener until the shutdown: no delay between small writes, no patience for heads that never end,
//! and a bounded wait for what is under way.
//!
//! `axum::serve` has neither the time limit on heads nor the one on the end, and leaves Nagle's algorithm on, which holds
//! a socket's second frame back for 40 ms.

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// How long a connection may take over the head of a request, or lie idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests under way may take after the shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after a failed accept: mostly the process is out of file descriptors, and only time frees some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the shutdown, and then until the requests under way are answered or ten seconds have passed. Connections
/// that became sockets are not waited for.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    serve_within(HEAD_TIMEOUT, DRAIN_TIMEOUT, listener, router, shutdown).await;
}

async fn serve_within(
    head_timeout: Duration,
    drain_timeout: Duration,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_timeout);
    let connections = TaskTracker::new();
    let abandoned = CancellationToken::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let (builder, router) = (builder.clone(), router.clone());
                let connection = converse(builder, stream, router, shutdown.clone());
                let abandoned = abandoned.clone();
                connections.spawn(async move { abandoned.run_until_cancelled(connection).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests under way were abandoned");
        abandoned.cancel();
        connections.wait().await;
    }
}

async fn converse(builder: Builder, stream: TcpStream, router: Router, shutdown: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let service = TowerToHyperService::new(router.map_request(|request: Request<_>| request.map(Body::new)));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(10);

    async fn serving(head: Duration, drain: Duration) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let slow = get(async || tokio::time::sleep(Duration::from_millis(200)).await);
        let never = get(std::future::pending::<()>);
        let router = Router::new().route("/", get(async || "here")).route("/slow", slow).route("/never", never);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shutdown = CancellationToken::new();
        (address, shutdown.clone(), tokio::spawn(serve_within(head, drain, listener, router, shutdown)))
    }

    async fn asked(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("somebody listens");
        stream.write_all(text.as_bytes()).await.expect("the connection is open");
        stream
    }

    async fn answer(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let reading = stream.read_to_end(&mut bytes);
        tokio::time::timeout(LONG, reading).await.expect("the connection ends in time").expect("it is read");
        String::from_utf8(bytes).expect("the answer is text")
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_not_waited_for() {
        let (address, ..) = serving(SHORT, LONG).await;
        let answer = answer(asked(address, "GET / HTTP/1.1\r\nHost: x\r\n").await).await;
        assert!(!answer.contains("here"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_the_shutdown_and_no_other_is_taken() {
        let (address, shutdown, served) = serving(LONG, LONG).await;
        let idle = asked(address, "").await;
        let under_way = asked(address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        tokio::time::sleep(SHORT).await;
        shutdown.cancel();
        assert!(answer(under_way).await.starts_with("HTTP/1.1 200"));
        assert_eq!(answer(idle).await, "");
        tokio::time::timeout(LONG, served).await.expect("it ends").expect("it does not panic");
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_request_that_never_ends_does_not_hold_the_shutdown_up() {
        let (address, shutdown, served) = serving(LONG, SHORT).await;
        let _stuck = asked(address, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await;
        tokio::time::sleep(SHORT).await;
        shutdown.cancel();
        tokio::time::timeout(LONG, served).await.expect("it ends").expect("it does not panic");
    }
}
