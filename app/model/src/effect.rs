//! What the model wants done. Effects are data; the app's runner performs them.

use crate::{
    ask::Ask,
    command::Command,
    connection::SocketNumber,
    draft::OrderDraft,
    journal::{SavedFeed, SavedOperation},
    route::Route,
    settings::Settings,
};
use tramline_contract::live::Cursor;
use uuid::Uuid;

/// Something to do outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Open a socket and report under this number.
    OpenSocket(SocketNumber),
    /// Close it, if it is still open. Its close need not be reported.
    CloseSocket(SocketNumber),
    /// Say hello on it.
    SayHello {
        /// On which.
        socket: SocketNumber,
        /// The epoch of the cursor.
        epoch: Option<String>,
        /// The last frame that was applied.
        cursor: Option<Cursor>,
    },
    /// Post a command.
    Send(Command),
    /// Read something.
    Read(Ask),
    /// Write an operation down, so that a reload does not lose it.
    SaveOperation(SavedOperation),
    /// Strike it from the journal.
    ForgetOperation(Uuid),
    /// Write down how far the feed has been applied.
    SaveFeed(SavedFeed),
    /// Write the order's draft down, or forget it.
    SaveDraft(Option<OrderDraft>),
    /// Write the settings down and apply them.
    SaveSettings(Settings),
    /// Show a page.
    Navigate {
        /// Which.
        route: Route,
        /// Whether it takes the place of the present one in the history.
        replace: bool,
    },
    /// Show the beginning of the list.
    ScrollToTop,
    /// Say something to a screen reader when it pauses.
    Announce(String),
    /// Say something to a screen reader at once.
    Alert(String),
}
