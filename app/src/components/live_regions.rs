//! What a screen reader is told: one polite region for outcomes, one for bad news about the user's own orders.

use crate::desk::Desk;
use leptos::prelude::*;

/// The two regions. They stay in the page, empty or not: a region that appears with its words is often not read.
#[component]
pub fn LiveRegions() -> impl IntoView {
    let desk = Desk::here();
    view! {
        <div class="visually-hidden" role="status" aria-live="polite">{move || desk.polite.get()}</div>
        <div class="visually-hidden" aria-live="assertive">{move || desk.assertive.get()}</div>
    }
}
