//! An order's status, and whether something newer exists: shape, words and colour, each enough alone.

use super::Icon;
use crate::desk::Desk;
use leptos::prelude::*;
use tramline_model::{
    Msg,
    view::{StaleBadge, Status, StatusKind},
};

/// The badge of a status.
#[component]
pub fn StatusBadge(#[prop(into)] status: Signal<Option<Status>>) -> impl IntoView {
    let kind = Memo::new(move |_| status.with(|status| status.as_ref().map(|status| status.kind)));
    let label = move || status.with(|status| status.as_ref().map(|status| status.label.clone()));
    let note = move || status.with(|status| status.as_ref().and_then(|status| status.note));
    let icon = Signal::derive(move || icon(kind.get().unwrap_or(StatusKind::Pending)));
    view! {
        <span class="badge" data-status=move || kind.get().map(StatusKind::as_str) title=note>
            <Icon name=icon/>
            <span class="badge-label">{label}</span>
        </span>
    }
}

/// Says that something newer exists, and after a while offers to look again.
#[component]
pub fn StaleNote(#[prop(into)] stale: Signal<Option<StaleBadge>>) -> impl IntoView {
    let desk = Desk::here();
    let text = move || stale.with(|stale| stale.as_ref().map(|stale| stale.text.clone()));
    let is_shown = Memo::new(move |_| stale.with(Option::is_some));
    let is_old = Memo::new(move |_| stale.with(|stale| stale.as_ref().is_some_and(|stale| stale.is_old)));
    view! {
        <Show when=move || is_shown.get()>
            <span class="stale">
                {text}
                <Show when=move || is_old.get()>
                    " "
                    <button type="button" class="link-button" on:click=move |_| desk.tell(Msg::RefreshPressed)>"Refresh"</button>
                </Show>
            </span>
        </Show>
    }
}

fn icon(kind: StatusKind) -> &'static str {
    match kind {
        StatusKind::Sending | StatusKind::Checking => "sending",
        StatusKind::Pending | StatusKind::Processing => "pending",
        StatusKind::Approved => "approved",
        StatusKind::Rejected => "rejected",
        StatusKind::Revising => "revising",
        StatusKind::Cancelling | StatusKind::WillCancel | StatusKind::Cancelled => "cancelled",
    }
}
