//! Cards for commands that were refused: what was typed is kept, to be corrected.

use super::Icon;
use crate::{
    browser::{clock, document},
    desk::Desk,
};
use leptos::prelude::*;
use tramline_model::{Msg, view::NotSentCard};

/// The cards, above whatever page is open. A new one takes the focus.
#[component]
pub fn NotSentCards() -> impl IntoView {
    let desk = Desk::here();
    let cards = desk.watch(tramline_model::Model::not_sent_cards);
    Effect::new(move |before: Option<usize>| {
        let count = cards.with(Vec::len);
        if count > before.unwrap_or_default() {
            document::focus_soon(".not-sent:last-of-type");
        }
        count
    });
    view! {
        <For each=move || cards.get() key=|card: &NotSentCard| card.id let:card>
            <section class="not-sent" role="alert" tabindex="-1">
                <Icon name="rejected"/>
                <div>
                    <h2>{card.title}</h2>
                    <p>{card.reason}</p>
                </div>
                <div class="actions">
                    <button type="button" class="button primary small"
                        on:click=move |_| {
                            desk.tell(Msg::NotSentEdited { id: card.id, new_id: clock::new_id() });
                            document::focus_soon("dialog [aria-invalid=true]");
                        }>
                        "Edit and resend"
                    </button>
                    <button type="button" class="button small" on:click=move |_| desk.tell(Msg::NotSentDropped(card.id))>
                        "Discard"
                    </button>
                </div>
            </section>
        </For>
    }
}
