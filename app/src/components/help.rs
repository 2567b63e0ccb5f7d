//! The keys, in a dialog.

use super::Dialog;
use crate::desk::Desk;
use leptos::prelude::*;

const KEYS: [(&[&str], &str); 11] = [
    (&["/"], "Search"),
    (&["n"], "Place an order; on customers: add a customer"),
    (&["j", "↓"], "Next row"),
    (&["k", "↑"], "Previous row"),
    (&["Enter"], "Open the row"),
    (&["e"], "Revise the order"),
    (&["c"], "Cancel the order; asks first"),
    (&["g", "o"], "Go to orders"),
    (&["g", "c"], "Go to customers"),
    (&["?"], "This help"),
    (&["Esc"], "Close, and return to where you were"),
];

/// The keyboard help.
#[component]
pub fn HelpDialog() -> impl IntoView {
    let desk = Desk::here();
    let close = move || desk.shows_help.set(false);
    let has_shortcuts = desk.watch(|model| model.settings.shortcuts);
    view! {
        <Dialog title="Keyboard shortcuts" on_close=close>
            <dl class="keys">
                {KEYS.map(|(keys, does)| view! {
                    <div>
                        <dt>{keys.iter().map(|key| view! { <kbd>{*key}</kbd> }).collect_view()}</dt>
                        <dd>{does}</dd>
                    </div>
                }).collect_view()}
            </dl>
            <p class="muted">
                {move || if has_shortcuts.get() {
                    "Single keys can be switched off in Settings. They never act while you type."
                } else {
                    "Single keys are switched off. Switch them on in Settings."
                }}
            </p>
        </Dialog>
    }
}
