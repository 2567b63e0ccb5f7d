//! The journal in the browser's storage. A browser that forbids storage loses the journal and nothing else.

use tramline_model::{
    draft::OrderDraft,
    journal::{Saved, SavedFeed, SavedOperation},
    settings::{Settings, Theme},
};
use uuid::Uuid;
use web_sys::Storage;

/// Each operation has a key of its own, so that two tabs never write over one another.
const OPERATION: &str = "tramline.operation.";
const DRAFT: &str = "tramline.draft";
/// `theme.js` reads this one before anything is drawn.
const THEME: &str = "tramline.theme";
const SHORTCUTS: &str = "tramline.shortcuts";
/// Of this tab alone: another tab has applied another part of the feed.
const FEED: &str = "tramline.feed";
/// More operations than this are not restored: something else must be wrong.
const OPERATIONS_RESTORED: usize = 200;

/// All that was saved.
pub fn load() -> Saved {
    let Some(local) = local() else { return Saved::default() };
    let keys = (0..local.length().unwrap_or(0)).filter_map(|place| local.key(place).ok().flatten());
    let operations = keys.filter(|key| key.starts_with(OPERATION)).take(OPERATIONS_RESTORED);
    Saved {
        operations: operations.filter_map(|key| parse::<SavedOperation>(&local, &key)).collect(),
        feed: session().and_then(|session| parse(&session, FEED)).unwrap_or_default(),
        draft: parse(&local, DRAFT),
        settings: Settings {
            theme: Theme::parse(&read(&local, THEME).unwrap_or_default()),
            shortcuts: read(&local, SHORTCUTS).as_deref() != Some("off"),
        },
    }
}

/// Writes an operation down.
pub fn save_operation(operation: &SavedOperation) {
    write(local(), &format!("{OPERATION}{}", operation.command.id()), serde_json::to_string(operation).ok());
}

/// Strikes an operation out.
pub fn forget_operation(id: Uuid) {
    write(local(), &format!("{OPERATION}{id}"), None);
}

/// Writes down how far the feed has been applied.
pub fn save_feed(feed: &SavedFeed) {
    write(session(), FEED, serde_json::to_string(feed).ok());
}

/// Writes the draft down, or forgets it.
pub fn save_draft(draft: Option<&OrderDraft>) {
    write(local(), DRAFT, draft.and_then(|draft| serde_json::to_string(draft).ok()));
}

/// Writes the settings down.
pub fn save_settings(settings: Settings) {
    write(local(), THEME, (settings.theme != Theme::System).then(|| settings.theme.as_str().to_owned()));
    write(local(), SHORTCUTS, (!settings.shortcuts).then(|| "off".to_owned()));
}

fn local() -> Option<Storage> {
    web_sys::window()?.local_storage().ok()?
}

fn session() -> Option<Storage> {
    web_sys::window()?.session_storage().ok()?
}

fn read(storage: &Storage, key: &str) -> Option<String> {
    storage.get_item(key).ok().flatten()
}

fn parse<T: serde::de::DeserializeOwned>(storage: &Storage, key: &str) -> Option<T> {
    serde_json::from_str(&read(storage, key)?).ok()
}

fn write(storage: Option<Storage>, key: &str, value: Option<String>) {
    let Some(storage) = storage else { return };
    // A full or forbidden storage is no reason to stop working.
    let _ = match value {
        Some(value) => storage.set_item(key, &value),
        None => storage.remove_item(key),
    };
}
