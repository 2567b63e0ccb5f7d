//! A real `<dialog>`: the browser keeps the focus inside, Esc closes it, and the focus goes back to where it was.

use super::Icon;
use crate::browser::document;
use leptos::{html, prelude::*};
use web_sys::HtmlElement;

/// A dialog that is open as long as it is in the page.
#[component]
pub fn Dialog(title: &'static str, on_close: impl Fn() + Copy + 'static, children: Children) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let before = StoredValue::new_local(document::focused());
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get()
            && !dialog.open()
        {
            let _ = dialog.show_modal();
            // Whoever opens a form with a value in it mostly wants another one.
            document::select_focused();
        }
    });
    on_cleanup(move || {
        if let Some(before) = before.try_get_value().flatten() {
            give_back(before);
        }
    });
    let cancelled = move |event: leptos::ev::Event| {
        // The model closes it, by showing another address.
        event.prevent_default();
        on_close();
    };
    view! {
        <dialog class="dialog" node_ref=dialog aria-labelledby="dialog-title" on:cancel=cancelled>
            <header class="dialog-header">
                <h2 id="dialog-title">{title}</h2>
                <button type="button" class="icon-button" aria-label="Close" on:click=move |_| on_close()>
                    <Icon name="close"/>
                </button>
            </header>
            {children()}
        </dialog>
    }
}

fn give_back(before: HtmlElement) {
    request_animation_frame(move || {
        if before.is_connected() && document::focused().is_none() {
            let _ = before.focus();
        }
    });
}
