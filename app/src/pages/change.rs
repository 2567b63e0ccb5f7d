//! The dialogs that change an order or a customer: revise, cancel, credit limit, payment. They close at once; the row, or the page
//! behind them, shows what becomes of the change.

use crate::{
    browser::document,
    components::{Dialog, TextField},
    desk::Desk,
};
use leptos::prelude::*;
use tramline_model::{
    Msg,
    change::{Change, ChangeDraft},
    draft,
};

/// The words of a dialog: its title, the name of its amount, and what its button does.
fn words(change: Change) -> [&'static str; 3] {
    match change {
        Change::Revise(_) => ["Revise order", "New total", "Revise"],
        Change::Cancel(_) => ["Cancel order", "", "Cancel order"],
        Change::CreditLimit(_) => ["Change credit limit", "New credit limit", "Change limit"],
        Change::Payment(_) => ["Record payment", "Amount", "Record payment"],
    }
}

/// The dialog of the change that is being filled in.
#[component]
pub fn ChangeDialog(change: Change) -> impl IntoView {
    let desk = Desk::here();
    let [title, amount_label, act] = words(change);
    let part = move |read: fn(&ChangeDraft) -> String| {
        desk.watch(move |model| model.change.as_ref().map(read).unwrap_or_default())
    };
    let error = move |field: &'static str| {
        desk.watch(move |model| draft::error_of(&model.change.as_ref()?.errors, field).map(str::to_owned))
    };
    let about = desk.watch(|model| model.change_view().map(|view| view.about));
    let warning = desk.watch(|model| model.change_view().and_then(|view| view.warning));
    let can_keep = desk.watch(|model| model.change_view().is_some_and(|view| view.can_keep));
    let was_offline = desk.watch(|model| model.change.as_ref().is_some_and(|draft| draft.was_offline));
    let close = move || desk.tell(Msg::FormClosed);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match change {
            Change::Cancel(order) if can_keep.get_untracked() => desk.tell(Msg::OrderKept(order)),
            _ => desk.tell(Msg::ChangeSubmitted),
        }
        document::focus_soon("dialog [aria-invalid=true]");
    };
    let is_cancel = matches!(change, Change::Cancel(_));
    view! {
        <Dialog title on_close=close>
            <form class="form" novalidate=true on:submit=submit>
                <p>{move || about.get()}</p>
                {(!is_cancel).then(|| view! {
                    <TextField id="change-amount" label=amount_label value=part(|draft| draft.amount.clone()) is_amount=true
                        takes_focus=true on_input=move |text| desk.tell(Msg::AmountTyped(text)) error=error("amount")/>
                })}
                {matches!(change, Change::Payment(_)).then(|| view! {
                    <TextField id="change-reference" label="Reference" value=part(|draft| draft.reference.clone())
                        on_input=move |text| desk.tell(Msg::ReferenceTyped(text)) error=error("reference")
                        hint="Optional: a cheque or transfer number."/>
                })}
                <p class={if is_cancel { "muted" } else { "form-warning" }} aria-live="off">{move || warning.get()}</p>
                <Show when=move || was_offline.get()>
                    <p class="form-refusal" role="alert">"You're offline. Try again when you are back."</p>
                </Show>
                <footer class="dialog-footer">
                    <button type="button" class="button" on:click=move |_| close()>
                        {if is_cancel { "Close" } else { "Cancel" }}
                    </button>
                    <button type="submit" class="button primary" class:danger=is_cancel autofocus=is_cancel>
                        {move || if can_keep.get() { "Don't cancel" } else { act }}
                    </button>
                </footer>
            </form>
        </Dialog>
    }
}
