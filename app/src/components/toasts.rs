//! Outcomes of orders that are out of sight. The live region says the same, so these are for the eyes.

use super::Icon;
use crate::desk::Desk;
use leptos::prelude::*;
use tramline_model::announcer::Toast;

/// The toasts at the edge of the page.
#[component]
pub fn Toasts() -> impl IntoView {
    let desk = Desk::here();
    let toasts = desk.watch(tramline_model::Model::toasts);
    view! {
        <div class="toasts" aria-hidden="true">
            <For each=move || toasts.get() key=|toast: &Toast| toast.number let:toast>
                <p class="toast" class:bad=toast.is_bad>
                    <Icon name={if toast.is_bad { "rejected" } else { "approved" }}/>
                    {toast.text}
                </p>
            </For>
        </div>
    }
}
