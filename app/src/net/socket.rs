//! Numbered sockets. What they bring is handed on once per animation frame, so that a burst is drawn once.

use crate::{browser::document, desk::Desk};
use std::{cell::RefCell, rc::Rc};
use tramline_contract::live::{ClientFrame, Cursor, ServerFrame};
use tramline_model::{Msg, connection::SocketNumber};
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

/// More frames than this are handed on without waiting for the next animation frame.
const FRAMES_AT_ONCE: usize = 500;

/// The sockets of the page: at most one that counts.
#[derive(Default)]
pub struct Sockets {
    open: Option<Socket>,
    /// Closed, but perhaps still in a callback of its own; dropped when the next one opens.
    retired: Option<Socket>,
    arrived: Rc<RefCell<Arrived>>,
}

struct Socket {
    number: SocketNumber,
    socket: WebSocket,
    _on_open: Closure<dyn FnMut(Event)>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

#[derive(Default)]
struct Arrived {
    number: SocketNumber,
    frames: Vec<ServerFrame>,
    is_flush_due: bool,
}

impl Sockets {
    /// Opens a socket that reports under this number.
    pub fn open(&mut self, number: SocketNumber, desk: Desk) {
        self.close_any();
        *self.arrived.borrow_mut() = Arrived { number, ..Arrived::default() };
        match connect(number, desk, &self.arrived) {
            Some(socket) => self.open = Some(socket),
            // Told later, not within the message that asked for the socket.
            None => leptos::prelude::queue_microtask(move || desk.tell(Msg::SocketClosed(number))),
        }
    }

    /// Closes the socket of this number, if it is still the open one.
    pub fn close(&mut self, number: SocketNumber) {
        if self.open.as_ref().is_some_and(|socket| socket.number == number) {
            self.close_any();
        }
    }

    /// Says hello.
    pub fn say_hello(&self, number: SocketNumber, epoch: Option<String>, cursor: Option<Cursor>) {
        let Some(socket) = self.open.as_ref().filter(|socket| socket.number == number) else { return };
        if let Ok(json) = serde_json::to_string(&ClientFrame::Hello { epoch, cursor }) {
            // A socket that cannot send is about to report its close.
            let _ = socket.socket.send_with_str(&json);
        }
    }

    /// What must be told of frames that have arrived, if there are any.
    pub fn take_arrived(&self) -> Option<Msg> {
        let mut arrived = self.arrived.borrow_mut();
        arrived.is_flush_due = false;
        let frames = std::mem::take(&mut arrived.frames);
        (!frames.is_empty()).then_some(Msg::FramesArrived(arrived.number, frames))
    }

    fn close_any(&mut self) {
        if let Some(socket) = self.open.take() {
            socket.socket.set_onopen(None);
            socket.socket.set_onmessage(None);
            socket.socket.set_onclose(None);
            let _ = socket.socket.close();
            self.retired = Some(socket);
        }
    }
}

fn connect(number: SocketNumber, desk: Desk, arrived: &Rc<RefCell<Arrived>>) -> Option<Socket> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    let socket = WebSocket::new(&format!("{scheme}://{}/api/live", location.host().ok()?)).ok()?;

    let on_open = Closure::<dyn FnMut(Event)>::new(move |_| desk.tell(Msg::SocketOpened(number)));
    let arrived = Rc::clone(arrived);
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // A frame that this build cannot read leaves a gap, and a gap is caught up on.
        let Some(frame) = event.data().as_string().and_then(|text| serde_json::from_str(&text).ok()) else { return };
        let mut arrived = arrived.borrow_mut();
        if arrived.number != number {
            return;
        }
        arrived.frames.push(frame);
        let at_once = document::is_hidden() || arrived.frames.len() >= FRAMES_AT_ONCE;
        let was_due = std::mem::replace(&mut arrived.is_flush_due, true);
        drop(arrived);
        if at_once {
            desk.flush_frames();
        } else if !was_due {
            leptos::prelude::request_animation_frame(move || desk.flush_frames());
        }
    });
    let on_close = Closure::<dyn FnMut(CloseEvent)>::new(move |_| {
        desk.flush_frames();
        desk.tell(Msg::SocketClosed(number));
    });
    socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
    socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
    Some(Socket { number, socket, _on_open: on_open, _on_message: on_message, _on_close: on_close })
}
