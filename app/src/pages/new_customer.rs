//! The dialog that adds a customer. It closes at once: the row shows what becomes of the customer.

use crate::{
    browser::{clock, document},
    components::{Dialog, TextField},
    desk::Desk,
};
use leptos::prelude::*;
use tramline_contract::CustomerId;
use tramline_model::{
    Msg,
    draft::{self, CustomerDraft},
};

/// The dialog that adds a customer.
#[component]
pub fn NewCustomerDialog() -> impl IntoView {
    let desk = Desk::here();
    desk.tell(Msg::CustomerFormOpened(CustomerId(clock::new_id())));

    let part = move |read: fn(&CustomerDraft) -> String| {
        desk.watch(move |model| model.customer_draft.as_ref().map(read).unwrap_or_default())
    };
    let (name, limit) = (part(|draft| draft.name.clone()), part(|draft| draft.credit_limit.clone()));
    let error = move |field: &'static str| {
        desk.watch(move |model| {
            let draft = model.customer_draft.as_ref()?;
            draft::error_of(&draft.errors, field).map(str::to_owned)
        })
    };
    let (name_error, limit_error) = (error("name"), error("creditLimit"));
    let was_offline = desk.watch(|model| model.customer_draft.as_ref().is_some_and(|draft| draft.was_offline));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        desk.tell(Msg::CustomerSubmitted);
        document::focus_soon("dialog [aria-invalid=true]");
    };
    let close = move || desk.tell(Msg::FormClosed);
    view! {
        <Dialog title="Add customer" on_close=close>
            <form class="form" novalidate=true on:submit=submit>
                <TextField id="new-customer-name" label="Name" value=name takes_focus=true
                    on_input=move |text| desk.tell(Msg::NameTyped(text)) error=name_error/>
                <TextField id="new-customer-limit" label="Credit limit" value=limit is_amount=true
                    on_input=move |text| desk.tell(Msg::CreditLimitTyped(text)) error=limit_error
                    hint="How much the customer may owe at most."/>
                <Show when=move || was_offline.get()>
                    <p class="form-refusal" role="alert">"You're offline. Try again when you are back."</p>
                </Show>
                <footer class="dialog-footer">
                    <button type="button" class="button" on:click=move |_| close()>"Cancel"</button>
                    <button type="submit" class="button primary">"Add customer"</button>
                </footer>
            </form>
        </Dialog>
    }
}
