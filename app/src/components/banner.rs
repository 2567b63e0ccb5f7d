//! The banner below the header while the connection is lost for longer than a moment.

use super::Icon;
use crate::desk::Desk;
use leptos::prelude::*;
use tramline_model::Msg;

/// The banner, when there is need for one.
#[component]
pub fn ConnectionBanner() -> impl IntoView {
    let desk = Desk::here();
    let banner = desk.watch(|model| model.connection_view().banner);
    let is_shown = Memo::new(move |_| banner.with(Option::is_some));
    let text = move || banner.with(|banner| banner.as_ref().map(|banner| banner.text.clone()));
    let countdown = move || banner.with(|banner| banner.as_ref().and_then(|banner| banner.countdown.clone()));
    let can_retry = Memo::new(move |_| banner.with(|banner| banner.as_ref().is_some_and(|banner| banner.can_retry)));
    view! {
        <Show when=move || is_shown.get()>
            <section class="banner" aria-label="Connection problem">
                <Icon name="warning"/>
                <p>{text}" "<span class="countdown">{countdown}</span></p>
                <Show when=move || can_retry.get()>
                    <button type="button" class="button small" on:click=move |_| desk.tell(Msg::RetryPressed)>
                        "Retry now"
                    </button>
                </Show>
            </section>
        </Show>
    }
}
