//! A drawing from the sprite in `index.html`. Always beside words that say the same, so hidden from screen readers.

use leptos::prelude::*;

/// A drawing by its name in the sprite.
#[component]
pub fn Icon(#[prop(into)] name: Signal<&'static str>) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use href=move || format!("#icon-{}", name.get())></use>
        </svg>
    }
}
