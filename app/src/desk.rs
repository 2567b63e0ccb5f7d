//! The runner: takes messages to the model, performs its effects, and wakes it when something is due.

use crate::{
    browser::{clock, document, history, storage, timer::Timer},
    net::{http, socket::Sockets},
};
use leptos::{prelude::*, reactive::graph::Source, task::spawn_local};
use std::collections::HashMap;
use tramline_model::{Effect as ModelEffect, Millis, Model, Msg, Route, next_wake, update};
use uuid::Uuid;

/// A timer this far away is as good as none; longer ones overflow in some browsers.
const LONGEST_SLEEP_MS: Millis = 3_600_000;

/// The page's one model and all that acts for it. Copied freely.
#[derive(Clone, Copy)]
pub struct Desk {
    model: RwSignal<Model>,
    sockets: StoredValue<Sockets, LocalStorage>,
    alarm: StoredValue<Alarm, LocalStorage>,
    /// Where each list was scrolled to, by its name.
    scrolls: StoredValue<HashMap<&'static str, i32>, LocalStorage>,
    /// The row that has the focus, or is about to.
    pub focused_row: RwSignal<Option<Uuid>>,
    /// Raised when lists should show their beginning.
    pub scroll_to_top: RwSignal<u32>,
    /// What is said politely.
    pub polite: RwSignal<String>,
    /// What is said at once.
    pub assertive: RwSignal<String>,
    /// Whether the keyboard help is open.
    pub shows_help: RwSignal<bool>,
}

impl Desk {
    /// Starts the model with what was saved.
    pub fn start() -> Self {
        let is_root = web_sys::window().and_then(|window| window.location().pathname().ok()).as_deref() == Some("/");
        let route = history::route();
        if is_root {
            history::show(&route, true);
        }
        let (model, effects) = Model::start(storage::load(), route, document::is_online(), clock::now());
        let desk = Self {
            model: RwSignal::new(model),
            sockets: StoredValue::new_local(Sockets::default()),
            alarm: StoredValue::new_local(Alarm::default()),
            scrolls: StoredValue::new_local(HashMap::new()),
            focused_row: RwSignal::new(None),
            scroll_to_top: RwSignal::new(0),
            polite: RwSignal::new(String::new()),
            assertive: RwSignal::new(String::new()),
            shows_help: RwSignal::new(false),
        };
        desk.perform(effects);
        desk.set_alarm();
        desk
    }

    /// The page's desk.
    pub fn here() -> Self {
        expect_context()
    }

    /// Tells the model what happened.
    pub fn tell(self, msg: Msg) {
        let Some(effects) = self.model.try_update(|model| update(model, msg, clock::now())) else { return };
        // Whoever follows the model has now been told to look again, and follows it anew when it does. A signal by itself never
        // forgets a follower: rows that were scrolled away would stay with it, and each message would take longer than the last.
        self.model.clear_subscribers();
        self.perform(effects);
        self.set_alarm();
    }

    /// A value that follows the model; whatever reads it is drawn anew only when the value is another.
    pub fn watch<T: PartialEq + Send + Sync + 'static>(
        self,
        read: impl Fn(&Model) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| self.model.with(&read))
    }

    /// A value of the model as it is now.
    pub fn read<T>(self, read: impl FnOnce(&Model) -> T) -> T {
        self.model.with_untracked(read)
    }

    /// Shows another page.
    pub fn go(self, route: Route) {
        self.tell(Msg::LinkFollowed(route));
    }

    /// Hands on what the socket has brought.
    pub fn flush_frames(self) {
        if let Some(msg) = self.sockets.try_with_value(Sockets::take_arrived).flatten() {
            self.tell(msg);
        }
    }

    /// Where a list was scrolled to when it was last seen.
    pub fn scroll_of(self, list: &'static str) -> i32 {
        self.scrolls.with_value(|scrolls| scrolls.get(list).copied().unwrap_or_default())
    }

    /// Remembers where a list is scrolled to.
    pub fn remember_scroll(self, list: &'static str, top: i32) {
        self.scrolls.update_value(|scrolls| {
            scrolls.insert(list, top);
        });
    }

    fn perform(self, effects: Vec<ModelEffect>) {
        for effect in effects {
            match effect {
                ModelEffect::OpenSocket(number) => self.sockets.update_value(|sockets| sockets.open(number, self)),
                ModelEffect::CloseSocket(number) => self.sockets.update_value(|sockets| sockets.close(number)),
                ModelEffect::SayHello { socket, epoch, cursor } => {
                    self.sockets.with_value(|sockets| sockets.say_hello(socket, epoch, cursor));
                }
                ModelEffect::Send(command) => spawn_local(async move {
                    let answer = http::post(&command).await;
                    self.tell(Msg::CommandAnswered(command.id(), answer));
                }),
                ModelEffect::Read(ask) => spawn_local(async move {
                    let answer = http::get(&ask).await;
                    self.tell(Msg::ReadAnswered(ask, answer));
                }),
                ModelEffect::SaveOperation(operation) => storage::save_operation(&operation),
                ModelEffect::ForgetOperation(id) => storage::forget_operation(id),
                ModelEffect::SaveFeed(feed) => storage::save_feed(&feed),
                ModelEffect::SaveDraft(draft) => storage::save_draft(draft.as_ref()),
                ModelEffect::SaveSettings(settings) => {
                    storage::save_settings(settings);
                    document::set_theme(settings.theme.as_str());
                }
                ModelEffect::Navigate { route, replace } => history::show(&route, replace),
                ModelEffect::ScrollToTop => {
                    self.scrolls.update_value(HashMap::clear);
                    self.scroll_to_top.update(|count| *count += 1);
                }
                ModelEffect::Announce(text) => self.polite.set(text),
                ModelEffect::Alert(text) => self.assertive.set(text),
            }
        }
    }

    /// One timer for everything: the model says when it wants to be woken.
    fn set_alarm(self) {
        let (now_ms, due_ms) = self.model.with_untracked(|model| (model.now_ms, next_wake(model)));
        self.alarm.update_value(|alarm| {
            if alarm.due_ms == due_ms {
                return;
            }
            alarm.due_ms = due_ms;
            let timer = alarm.timer.get_or_insert_with(|| Timer::new(move || self.wake()));
            match due_ms {
                Some(due_ms) => timer.set(due_ms.saturating_sub(now_ms).min(LONGEST_SLEEP_MS)),
                None => timer.clear(),
            }
        });
    }

    fn wake(self) {
        self.alarm.update_value(|alarm| alarm.due_ms = None);
        self.tell(Msg::Ticked);
    }
}

/// When the model is woken, and the timer that does it.
#[derive(Default)]
struct Alarm {
    due_ms: Option<Millis>,
    timer: Option<Timer>,
}
