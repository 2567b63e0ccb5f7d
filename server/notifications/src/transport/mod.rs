//! Where mails go: files in a folder, or a mail server; in simulations, one that is played.

mod files;
mod rehearsed;
mod smtp;

pub use files::Files;
pub use rehearsed::{Reception, Rehearsed};
pub use smtp::Smtp;

use crate::{delivery::Outcome, letter::Letter};
use lettre::transport::smtp::authentication::Credentials;
use percent_encoding::percent_decode_str;
use std::{
    fmt,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;
use tramline_contract::MailId;
use url::{Host, Url};

/// The folder for mails in the data folder, when none is named.
const FOLDER: &str = "mail";

/// What brings mails away.
#[derive(Debug)]
pub enum Transport {
    /// Into a folder.
    Files(Files),
    /// To a mail server.
    Smtp(Box<Smtp>),
    /// To one that is played.
    Rehearsed(Rehearsed),
}

/// A transport that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The folder cannot be made.
    #[error("the folder for mails {} cannot be made", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
    /// The machine's certificates cannot be used.
    #[error("connections to the mail server cannot be encrypted")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// A setting that names no place for mails. The text may hold a password, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMailAddress {
    /// It is of another kind.
    #[error("it must be files, files:FOLDER, smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT")]
    Kind,
    /// A part of it does not read.
    #[error("its {0} does not read")]
    Part(&'static str),
}

/// Where mails go, as it is set.
#[derive(Clone, PartialEq, Eq)]
pub enum MailServer {
    /// Into a folder; `None`: the folder `mail` beside the databases.
    Files(Option<PathBuf>),
    /// To a mail server.
    Smtp(SmtpServer),
}

/// A mail server and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// Encrypted from the first byte (`smtps`), and not only when the server offers it.
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether it is on this machine, where nobody listens in between.
    pub(crate) here: bool,
    pub(crate) credentials: Option<Credentials>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(folder) => f.debug_tuple("Files").field(folder).finish(),
            Self::Smtp(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not whom we are to it, which comes with a password.
        write!(f, "{}://{}:{}", if self.tls { "smtps" } else { "smtp" }, self.host, self.port)
    }
}

impl MailServer {
    /// Reads `files`, `files:FOLDER`, `smtp://…` or `smtps://…`. User and password are percent-encoded there.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Self, BadMailAddress> {
        if text == "files" {
            return Ok(Self::Files(None));
        }
        if let Some(folder) = text.strip_prefix("files:") {
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            return if folder.is_empty() {
                Err(BadMailAddress::Part("folder"))
            } else {
                Ok(Self::Files(Some(folder.into())))
            };
        }
        let url = Url::parse(text).map_err(|_| BadMailAddress::Kind)?;
        let tls = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(BadMailAddress::Kind),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(BadMailAddress::Part("end"));
        }
        // The schemes are not among those that a URL knows, so its host is not judged as one.
        let host = url.host_str().and_then(|host| Host::parse(host).ok()).ok_or(BadMailAddress::Part("host"))?;
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
            text.ok_or(BadMailAddress::Part("user or password"))
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(BadMailAddress::Part("user or password")),
            (user, Some(password)) => Some(Credentials::new(decoded(user)?, decoded(password)?)),
        };
        let here = match &host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        // As they are registered: submission from server to server, and submission over TLS (RFC 8314).
        let port = url.port().unwrap_or(if tls { 465 } else { 25 });
        let host = match host {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        Ok(Self::Smtp(SmtpServer { tls, host, port, here, credentials }))
    }

    /// Whether mails leave this machine's disk.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        matches!(self, Self::Smtp(_))
    }
}

impl Transport {
    /// Sets it up. A mail server need not be there yet.
    ///
    /// # Errors
    /// When the folder cannot be made, or the machine's certificates do not read.
    pub fn open(server: &MailServer, data: &Path) -> Result<Self, TransportError> {
        Ok(match server {
            MailServer::Files(folder) => Self::Files(Files::open(folder.as_deref().unwrap_or(&data.join(FOLDER)))?),
            MailServer::Smtp(server) => Self::Smtp(Box::new(Smtp::new(server.clone()).map_err(TransportError::Tls)?)),
        })
    }

    /// Whether a mail that is sent again after nobody knows what may come twice.
    pub(crate) const fn may_repeat(&self) -> bool {
        match self {
            Self::Files(_) => false,
            Self::Smtp(_) | Self::Rehearsed(_) => true,
        }
    }

    /// Sends what it can until told to stop, and says how each ended. What it says nothing of was not tried.
    pub(crate) async fn deliver(&mut self, letters: Vec<Letter>, stop: &CancellationToken) -> Vec<(MailId, Outcome)> {
        match self {
            Self::Files(files) => files.deliver(letters).await,
            Self::Smtp(smtp) => smtp.deliver(letters, stop).await,
            Self::Rehearsed(played) => played.deliver(&letters),
        }
    }

    /// Nothing is to be sent for now.
    pub(crate) async fn rest(&mut self) {
        if let Self::Smtp(smtp) = self {
            smtp.hang_up().await;
        }
    }

    /// Nothing is to be sent any more.
    pub(crate) async fn close(&mut self) {
        self.rest().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_for_mails_reads_as_it_is_documented() {
        assert_eq!(MailServer::parse("files"), Ok(MailServer::Files(None)));
        assert_eq!(MailServer::parse("files:/srv/mail"), Ok(MailServer::Files(Some("/srv/mail".into()))));
        let Ok(MailServer::Smtp(server)) = MailServer::parse("smtps://desk%40example.org:p%40ss@mail.example.org")
        else {
            panic!("it reads")
        };
        assert_eq!(
            (server.tls, server.host.as_str(), server.port, server.here),
            (true, "mail.example.org", 465, false)
        );
        assert_eq!(server.credentials, Some(Credentials::new("desk@example.org".to_owned(), "p@ss".to_owned())));
        for (text, here) in [("smtp://127.0.0.1:25", true), ("smtp://[::1]", true), ("smtp://mail", false)] {
            let Ok(MailServer::Smtp(server)) = MailServer::parse(text) else { panic!("{text} reads") };
            assert_eq!((server.port, server.here, server.credentials.is_none()), (25, here, true), "{text}");
        }
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "file",
            "files:",
            "http://mail",
            "smtp:mail",
            "smtp://",
            "smtp://user@mail",
            "smtp://:pw@mail",
            "smtp://mail:99999",
            "smtp://mail/box",
            "smtp://mail?x=1",
            "smtp://%ff:x@mail",
            "smtp://a b",
        ] {
            assert!(MailServer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let server = MailServer::parse("smtp://desk:hush@mail:2525").expect("it reads");
        assert_eq!(format!("{server:?}"), "smtp://mail:2525");
        assert!(!MailServer::parse("smtp://desk:hush@mail:x").expect_err("no port").to_string().contains("hush"));
    }
}
