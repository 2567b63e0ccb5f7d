//! The document: its root, its title, where the focus is.

use leptos::prelude::request_animation_frame;
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, FocusOptions, HtmlElement, HtmlInputElement};

/// The document.
pub fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// Where the app goes.
pub fn root() -> Option<HtmlElement> {
    document()?.get_element_by_id("app")?.dyn_into().ok()
}

/// Whether nobody can see the page.
pub fn is_hidden() -> bool {
    document().is_some_and(|document| document.hidden())
}

/// Whether the device says that it has a network.
pub fn is_online() -> bool {
    web_sys::window().is_none_or(|window| window.navigator().on_line())
}

/// Whether a dialog is open, so that the page behind it is out of reach.
pub fn has_open_dialog() -> bool {
    find("dialog[open]").is_some()
}

/// The first element of a selector.
pub fn find(selector: &str) -> Option<HtmlElement> {
    document()?.query_selector(selector).ok()??.dyn_into().ok()
}

/// The element that has the focus, if it is not the whole page.
pub fn focused() -> Option<HtmlElement> {
    let element: HtmlElement = document()?.active_element()?.dyn_into().ok()?;
    (element.tag_name() != "BODY").then_some(element)
}

/// Whether keys typed there are text.
pub fn takes_text(element: &Element) -> bool {
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") || element.has_attribute("contenteditable")
}

/// Gives the focus to the first element of a selector, once what is being drawn stands.
pub fn focus_soon(selector: impl Into<String>) {
    let selector = selector.into();
    request_animation_frame(move || {
        if let Some(element) = find(&selector) {
            let _ = element.focus();
        }
    });
}

/// Gives the focus to the first element of a selector, if it is there. Nothing scrolls.
pub fn focus_now(selector: &str) -> bool {
    let options = FocusOptions::new();
    options.set_prevent_scroll(true);
    find(selector).is_some_and(|element| element.focus_with_options(&options).is_ok())
}

/// Gives the focus back to an element that was moved within the page, unless something else has it. Nothing scrolls.
pub fn keep_focus(selector: &str) {
    if focused().is_none() {
        focus_now(selector);
    }
}

/// Selects all text of the field that has the focus.
pub fn select_focused() {
    if let Some(input) = focused().and_then(|element| element.dyn_into::<HtmlInputElement>().ok()) {
        input.select();
    }
}

/// Names the window.
pub fn set_title(title: &str) {
    if let Some(document) = document() {
        document.set_title(&format!("{title} · Tramline"));
    }
}

/// Shows the theme: `system`, `light` or `dark`.
pub fn set_theme(theme: &str) {
    if let Some(element) = document().and_then(|document| document.document_element()) {
        let _ = element.set_attribute("data-theme", theme);
    }
}
