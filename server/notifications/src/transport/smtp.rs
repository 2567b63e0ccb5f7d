//! Mails to a mail server (RFC 5321), step by step: where the conversation breaks says whether the mail may have been taken.
//!
//! Only between the mail's last line and the server's answer to it is that unknown. Every wait ends, and a round ends long
//! before the claim on its mails does.

use super::SmtpServer;
use crate::{delivery::Outcome, letter::Letter};
use futures_util::future::join_all;
use lettre::transport::smtp::{
    Error,
    authentication::Mechanism,
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
    response::Response,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tramline_contract::MailId;

/// Connections at once. A server that takes mail at all takes a few; more would be taken for a flood.
const LANES: usize = 4;
/// How long connecting may take, with everything until mails can be sent.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a reply may take.
const REPLY_MAX: Duration = Duration::from_secs(10);
/// How long the reply to a whole mail may take: the server may look for viruses first. Giving up too early makes copies.
const TAKEN_MAX: Duration = Duration::from_secs(90);
/// No mail is begun after so long in a round.
const ROUND_MAX: Duration = Duration::from_secs(20);

/// A mail server and our connections to it.
pub struct Smtp {
    server: SmtpServer,
    tls: TlsParameters,
    lanes: [Option<AsyncSmtpConnection>; LANES],
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.server.fmt(f)
    }
}

/// Why a conversation goes no further.
enum Broken {
    /// The server said so.
    Said(Error),
    /// The connection is of no use any more.
    Lost(String),
}

impl Smtp {
    /// Connections to a server, made when they are needed. Whom it may be is proved by the certificates that the machine trusts,
    /// or those in the file that `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// When those do not read.
    pub(crate) fn new(server: SmtpServer) -> Result<Self, Error> {
        let tls = TlsParameters::new(server.host.clone())?;
        Ok(Self { server, tls, lanes: Default::default() })
    }

    pub(crate) async fn deliver(&mut self, letters: Vec<Letter>, stop: &CancellationToken) -> Vec<(MailId, Outcome)> {
        let mut shares: [Vec<Letter>; LANES] = Default::default();
        for (number, letter) in letters.into_iter().enumerate() {
            shares[number % LANES].push(letter);
        }
        let halt = stop.child_token();
        let (server, tls) = (&self.server, &self.tls);
        let lanes = self.lanes.iter_mut().zip(shares).filter(|(_, share)| !share.is_empty());
        let lanes = join_all(lanes.map(|(lane, share)| send_all(lane, server, tls, share, &halt)));
        tokio::pin!(lanes);
        let outcomes = tokio::select! {
            outcomes = &mut lanes => outcomes,
            () = sleep(ROUND_MAX) => {
                halt.cancel();
                lanes.await
            }
        };
        outcomes.into_iter().flatten().collect()
    }

    /// Says goodbye: servers do not like to be held.
    pub(crate) async fn hang_up(&mut self) {
        let lanes = self.lanes.iter_mut().filter_map(Option::take);
        join_all(lanes.map(|mut lane| async move {
            // Whether it hears us changes nothing.
            let _ = timeout(REPLY_MAX, lane.quit()).await;
        }))
        .await;
    }
}

/// Sends one after the other over one connection, as long as it goes well.
async fn send_all(
    lane: &mut Option<AsyncSmtpConnection>,
    server: &SmtpServer,
    tls: &TlsParameters,
    letters: Vec<Letter>,
    halt: &CancellationToken,
) -> Vec<(MailId, Outcome)> {
    // It may have been closed while nothing was sent.
    if let Some(mut kept) = lane.take()
        && timeout(REPLY_MAX, kept.test_connected()).await.unwrap_or(false)
    {
        *lane = Some(kept);
    }
    let mut outcomes = Vec::with_capacity(letters.len());
    for letter in letters {
        if halt.is_cancelled() {
            break;
        }
        let outcome = match connected(lane, server, tls).await {
            Ok(connection) => send(connection, &letter).await,
            Err(reason) => Err(Outcome::NotTried(reason)),
        };
        let (outcome, usable) = match outcome {
            Ok(()) => (Outcome::Delivered, true),
            Err(outcome @ (Outcome::PutOff(_) | Outcome::Refused(_))) => (outcome, reset(lane.as_mut()).await),
            Err(outcome) => (outcome, false),
        };
        if !usable {
            *lane = None;
        }
        let away = matches!(outcome, Outcome::NotTried(_));
        outcomes.push((letter.id, outcome));
        if away {
            break;
        }
    }
    outcomes
}

/// The connection, made anew when there is none.
async fn connected<'l>(
    lane: &'l mut Option<AsyncSmtpConnection>,
    server: &SmtpServer,
    tls: &TlsParameters,
) -> Result<&'l mut AsyncSmtpConnection, String> {
    if lane.is_none() {
        let connecting = timeout(CONNECT_MAX, connect(server, tls)).await;
        let connection = connecting.map_err(|_| "the mail server does not answer".to_owned())??;
        *lane = Some(connection);
    }
    lane.as_mut().ok_or_else(|| "there is no connection".to_owned())
}

async fn connect(server: &SmtpServer, tls: &TlsParameters) -> Result<AsyncSmtpConnection, String> {
    let away = |error: Error| format!("the mail server cannot be used: {}", in_words(&error));
    let hello = ClientId::default();
    let first = server.tls.then(|| tls.clone());
    let address = (server.host.as_str(), server.port);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_MAX), &hello, first, None).await.map_err(away)?;
    // On this machine there is nobody in between, and certificates of such servers are made for no name.
    if !server.here && connection.can_starttls() {
        connection.starttls(tls.clone(), &hello).await.map_err(away)?;
    }
    if let Some(credentials) = &server.credentials {
        if !server.here && !connection.is_encrypted() {
            return Err("the mail server offers no encryption, and a password is not sent in the open".to_owned());
        }
        connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await.map_err(away)?;
    }
    Ok(connection)
}

/// Hands over one mail. An error says how it ended otherwise.
async fn send(connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<(), Outcome> {
    let sender = Mail::new(Some(letter.from.clone()), Vec::new());
    // A server that refuses the sender, or that is about to close, refuses everybody: no fault of this mail.
    heard(REPLY_MAX, connection.command(sender)).await.map_err(|broken| Outcome::NotTried(broken.in_words()))?;
    heard(REPLY_MAX, connection.command(Rcpt::new(letter.to.clone(), Vec::new()))).await.map_err(Broken::before)?;
    heard(REPLY_MAX, connection.command(Data)).await.map_err(Broken::before)?;
    heard(TAKEN_MAX, connection.message(&letter.bytes)).await.map_err(Broken::after)
}

/// Forgets a mail that was not taken, so that the next one can be sent.
async fn reset(connection: Option<&mut AsyncSmtpConnection>) -> bool {
    match connection {
        Some(connection) => heard(REPLY_MAX, connection.command("RSET\r\n")).await.is_ok(),
        None => false,
    }
}

/// Awaits a reply.
async fn heard(at_most: Duration, reply: impl Future<Output = Result<Response, Error>>) -> Result<(), Broken> {
    match timeout(at_most, reply).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.status().is_some() => Err(Broken::Said(error)),
        Ok(Err(error)) => Err(Broken::Lost(in_words(&error))),
        Err(_) => Err(Broken::Lost("the mail server did not answer in time".to_owned())),
    }
}

impl Broken {
    /// What it means before the whole mail was handed over.
    fn before(self) -> Outcome {
        match self {
            Self::Said(error) if error.is_permanent() => Outcome::Refused(in_words(&error)),
            // 421: the server is about to close (RFC 5321, 3.8).
            Self::Said(error) if error.status().is_some_and(|code| u16::from(code) == 421) => {
                Outcome::NotTried(in_words(&error))
            }
            Self::Said(error) => Outcome::PutOff(in_words(&error)),
            Self::Lost(reason) => Outcome::NotTried(reason),
        }
    }

    /// What it means since.
    fn after(self) -> Outcome {
        match self {
            Self::Lost(reason) => Outcome::Unknown(reason),
            said @ Self::Said(_) => said.before(),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Said(error) => in_words(error),
            Self::Lost(reason) => reason.clone(),
        }
    }
}

/// An error with its causes, shortened: servers write long replies.
fn in_words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = deeper.source();
    }
    words.chars().take(300).collect()
}
