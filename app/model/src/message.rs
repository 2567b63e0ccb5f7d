//! What happened: everything that the model reacts to. Names say what the user or the world did, not what to do about it.

use crate::{
    ask::{Answer, Ask},
    change::Change,
    command::{Accepted, Failure},
    connection::SocketNumber,
    filter::OrderFilter,
    index::Window,
    route::Route,
    settings::Settings,
};
use tramline_contract::{Coordination, CustomerId, OrderId, live::ServerFrame};
use uuid::Uuid;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// A deadline passed.
    Ticked,
    /// The browser shows another address: back, forward.
    RouteChanged(Route),
    /// The user followed a link or a shortcut.
    LinkFollowed(Route),

    /// A socket is open.
    SocketOpened(SocketNumber),
    /// A socket has closed, or could not be opened.
    SocketClosed(SocketNumber),
    /// A socket brought frames.
    FramesArrived(SocketNumber, Vec<ServerFrame>),
    /// The device lost its network.
    WentOffline,
    /// The device has a network again.
    CameOnline,
    /// The page is looked at again.
    BecameVisible,
    /// The page may be gone soon.
    PageHidden,
    /// The user does not want to wait for the next attempt.
    RetryPressed,

    /// A command was answered, or not.
    CommandAnswered(Uuid, Result<Accepted, Failure>),
    /// A read was answered, or not.
    ReadAnswered(Ask, Result<Answer, Failure>),

    /// The user chose what the list of orders shows.
    OrdersFiltered {
        /// What it shows from now on.
        filter: OrderFilter,
        /// Whether it was typed, so that it makes no step in the history.
        typed: bool,
    },
    /// The user typed part of a customer's name.
    CustomersSearched(String),
    /// The list of orders was scrolled or resized.
    OrderWindowMoved(Window),
    /// The list of customers was scrolled or resized.
    CustomerWindowMoved(Window),
    /// The user wants to see the rows that wait above.
    NewRowsPressed,
    /// The user wants an old or failed page read again.
    RefreshPressed,

    /// The form for an order is shown.
    OrderFormOpened {
        /// An id for the order, unless a draft has one.
        id: OrderId,
        /// The customer that is chosen at first.
        customer: Option<CustomerId>,
    },
    /// The user chose a customer, or none.
    CustomerPicked(Option<CustomerId>),
    /// The user typed a total.
    TotalTyped(String),
    /// The user chose who leads the order's sagas.
    CoordinationChosen(Coordination),
    /// The user submitted the order.
    OrderSubmitted,
    /// The form for a customer is shown.
    CustomerFormOpened(CustomerId),
    /// The user typed a name.
    NameTyped(String),
    /// The user typed a limit.
    CreditLimitTyped(String),
    /// The user submitted the customer.
    CustomerSubmitted,
    /// The user closed the form without submitting.
    FormClosed,
    /// The user wants to correct a command that was refused.
    NotSentEdited {
        /// The refused command.
        id: Uuid,
        /// The id of the next attempt.
        new_id: Uuid,
    },
    /// The user wants a value although somebody else has changed it meanwhile.
    Reapplied {
        /// The change that was not made.
        id: Uuid,
        /// The id of the next attempt.
        new_id: Uuid,
    },
    /// The user wants to change something; ignored where it cannot be changed.
    ChangeOpened {
        /// What.
        change: Change,
        /// An id for the change.
        id: Uuid,
    },
    /// The user typed the amount of a change.
    AmountTyped(String),
    /// The user typed a payment's reference.
    ReferenceTyped(String),
    /// The user submitted the change.
    ChangeSubmitted,
    /// The user takes a cancellation back that still waits.
    OrderKept(OrderId),
    /// The user gives a refused command up.
    NotSentDropped(Uuid),
    /// The user wants the sample; one id for each of its rows.
    SampleRequested(Vec<Uuid>),
    /// The user changed a setting.
    SettingsChanged(Settings),
}
