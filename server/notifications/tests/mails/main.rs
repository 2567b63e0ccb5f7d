//! Commands become mails, once each: in rows, in files, and at a mail server that goes away, refuses and falls silent.

mod once;
mod operator;
mod server;
mod support;
