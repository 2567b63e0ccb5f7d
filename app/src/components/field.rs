//! A labelled text field with its hint and its error.

use leptos::prelude::*;

/// A text field. The error is tied to it, and the field says that it is wrong.
#[component]
pub fn TextField(
    id: &'static str,
    label: &'static str,
    #[prop(into)] value: Signal<String>,
    on_input: impl Fn(String) + 'static,
    #[prop(into)] error: Signal<Option<String>>,
    #[prop(optional, into)] hint: MaybeProp<String>,
    #[prop(optional)] is_amount: bool,
    #[prop(optional)] takes_focus: bool,
) -> impl IntoView {
    let is_wrong = Memo::new(move |_| error.with(Option::is_some));
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input id=id type="text" autocomplete="off" class:amount=is_amount autofocus=takes_focus
                inputmode=is_amount.then_some("decimal")
                // The attribute is there from the beginning, the property only a moment later; text that is selected must be there.
                value=value.get_untracked() prop:value=move || value.get()
                aria-invalid=move || is_wrong.get().then_some("true")
                aria-describedby=format!("{id}-error {id}-hint")
                on:input=move |event| on_input(event_target_value(&event))/>
            <p class="field-error" id=format!("{id}-error")>{move || error.get()}</p>
            <p class="field-hint" id=format!("{id}-hint")>{move || hint.get()}</p>
        </div>
    }
}
