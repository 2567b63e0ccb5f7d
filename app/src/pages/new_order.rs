//! The dialog that places an order. It closes at once: the row shows what becomes of the order.

use crate::{
    browser::{clock, document},
    components::{Combobox, Dialog, TextField},
    desk::Desk,
    pages::order::coordination,
};
use leptos::prelude::*;
use tramline_contract::{Coordination, OrderId};
use tramline_model::{Msg, Route, draft};

/// The dialog that places an order.
#[component]
pub fn NewOrderDialog() -> impl IntoView {
    let desk = Desk::here();
    let customer = desk.read(|model| match model.route {
        Route::NewOrder { customer } => customer,
        _ => None,
    });
    desk.tell(Msg::OrderFormOpened { id: OrderId(clock::new_id()), customer });

    let chosen = desk.watch(|model| model.order_draft.as_ref().and_then(|draft| draft.customer));
    let total = desk.watch(|model| model.order_draft.as_ref().map(|draft| draft.total.clone()).unwrap_or_default());
    let error = move |field: &'static str| {
        desk.watch(move |model| {
            let draft = model.order_draft.as_ref()?;
            draft::error_of(&draft.errors, field).map(str::to_owned)
        })
    };
    let (customer_error, total_error) = (error("customerId"), error("total"));
    let hint = desk.watch(tramline_model::Model::credit_hint);
    let warning = desk.watch(tramline_model::Model::credit_warning);
    let was_offline = desk.watch(|model| model.order_draft.as_ref().is_some_and(|draft| draft.was_offline));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        desk.tell(Msg::OrderSubmitted);
        document::focus_soon("dialog [aria-invalid=true]");
    };
    let close = move || desk.tell(Msg::FormClosed);
    view! {
        <Dialog title="Place order" on_close=close>
            <form class="form" novalidate=true on:submit=submit>
                <Combobox id="new-order-customer" label="Customer" placeholder="Type a name" chosen takes_focus=customer.is_none()
                    on_choose=move |customer| desk.tell(Msg::CustomerPicked(customer))
                    error=customer_error hint=hint/>
                <TextField id="new-order-total" label="Total" value=total is_amount=true takes_focus=customer.is_some()
                    on_input=move |text| desk.tell(Msg::TotalTyped(text)) error=total_error/>
                <Advanced/>
                <p class="form-warning" aria-live="off">{move || warning.get()}</p>
                <Show when=move || was_offline.get()>
                    <p class="form-refusal" role="alert">"You're offline. Your draft is saved on this device."</p>
                </Show>
                <footer class="dialog-footer">
                    <button type="button" class="button" on:click=move |_| close()>"Cancel"</button>
                    <button type="submit" class="button primary">"Place order"</button>
                </footer>
            </form>
        </Dialog>
    }
}

/// What hardly anybody changes. It is open when that was done before.
#[component]
fn Advanced() -> impl IntoView {
    let desk = Desk::here();
    let chosen = desk.watch(|model| model.order_draft.as_ref().map(|draft| draft.coordination).unwrap_or_default());
    let choose = move |event| {
        desk.tell(Msg::CoordinationChosen(Coordination::parse(&event_target_value(&event)).unwrap_or_default()));
    };
    view! {
        <details class="advanced" open=chosen.get_untracked() != Coordination::default()>
            <summary>"Advanced"</summary>
            <div class="field">
                <label for="new-order-coordination">"Coordination"</label>
                <select id="new-order-coordination" aria-describedby="new-order-coordination-hint"
                    prop:value=move || chosen.get().as_str() on:change=choose>
                    {[Coordination::Orchestration, Coordination::Choreography].map(|way| view! {
                        <option value=way.as_str() selected=way == chosen.get_untracked()>{coordination(way)}</option>
                    }).collect_view()}
                </select>
                <p class="field-hint" id="new-order-coordination-hint">{move || match chosen.get() {
                    Coordination::Orchestration => "The orders service leads. The outcome is the same.",
                    Coordination::Choreography => "Services act on each other's events. The outcome is the same.",
                }}</p>
            </div>
        </details>
    }
}
