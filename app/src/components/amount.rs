//! An amount, and beside it, struck, the one that it takes the place of while a change is not confirmed.

use leptos::prelude::*;

/// An amount, after the struck one if there is one. Screen readers hear words, since they do not speak of struck text.
#[component]
pub fn Amount(#[prop(into)] was: Signal<Option<String>>, #[prop(into)] amount: Signal<String>) -> impl IntoView {
    let is_changing = Memo::new(move |_| was.with(Option::is_some));
    view! {
        <Show when=move || is_changing.get()>
            <s class="was"><span class="visually-hidden">"from "</span>{move || was.get()}</s>
            <span class="arrow" aria-hidden="true">" → "</span>
            <span class="visually-hidden">" to "</span>
        </Show>
        {move || amount.get()}
    }
}
