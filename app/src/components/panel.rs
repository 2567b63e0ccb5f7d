//! What stands where rows would: skeletons, empty lists, failed reads; and the pill that announces rows above.

use super::Icon;
use crate::{browser::clock, desk::Desk};
use leptos::prelude::*;
use tramline_model::{Msg, sample, view::Trouble};

/// Grey bars in place of rows. The style sheet shows them only after 200 ms: a quick answer needs none.
#[component]
pub fn Skeleton(rows: usize) -> impl IntoView {
    view! {
        <div class="skeleton" role="group" aria-label="Loading">
            {(0..rows).map(|_| view! { <span class="skeleton-row" aria-hidden="true"></span> }).collect_view()}
        </div>
    }
}

/// A list that has nothing to show, and what to do about it.
#[component]
pub fn EmptyPanel(title: &'static str, text: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="panel empty">
            <Icon name="empty"/>
            <h2>{title}</h2>
            <p>{text}</p>
            <div class="actions">{children()}</div>
        </div>
    }
}

/// A read that failed. `is_small` when what was read before is still shown.
#[component]
pub fn TroublePanel(#[prop(into)] trouble: Signal<Option<Trouble>>, #[prop(optional)] is_small: bool) -> impl IntoView {
    let desk = Desk::here();
    let is_shown = Memo::new(move |_| trouble.with(Option::is_some));
    let part = move |read: fn(&Trouble) -> String| move || trouble.with(|trouble| trouble.as_ref().map(read));
    view! {
        <Show when=move || is_shown.get()>
            <div class="panel trouble" class:small=is_small role="group" aria-label="Problem">
                <Icon name="warning"/>
                <div>
                    <h2>{part(|trouble| trouble.title.clone())}</h2>
                    <p>{part(|trouble| trouble.detail.clone())}</p>
                    <p class="muted">"Reference: "<code>{part(|trouble| trouble.code.clone())}</code></p>
                </div>
                <button type="button" class="button small" on:click=move |_| desk.tell(Msg::RefreshPressed)>"Retry"</button>
            </div>
        </Show>
    }
}

/// Offers the rows that wait above, which would otherwise push what is being read.
#[component]
pub fn NewRowsPill(#[prop(into)] waiting: Signal<usize>, noun: [&'static str; 2]) -> impl IntoView {
    let desk = Desk::here();
    let text = move || {
        let count = waiting.get();
        format!("{count} new {}", noun[usize::from(count != 1)])
    };
    let is_shown = Memo::new(move |_| waiting.get() > 0);
    view! {
        <Show when=move || is_shown.get()>
            <button type="button" class="pill" on:click=move |_| desk.tell(Msg::NewRowsPressed)>
                <Icon name="up"/>{text}
            </button>
        </Show>
    }
}

/// Offers the sample on an empty desk.
#[component]
pub fn SampleButton() -> impl IntoView {
    let desk = Desk::here();
    let is_empty = desk.watch(tramline_model::Model::is_empty_desk);
    let load = move |_| desk.tell(Msg::SampleRequested((0..sample::IDS).map(|_| clock::new_id()).collect()));
    view! {
        <Show when=move || is_empty.get()>
            <button type="button" class="button" on:click=load>"Load a sample"</button>
        </Show>
    }
}
