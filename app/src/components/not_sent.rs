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
        // What somebody else made of a value may change once more while the choice stands, and then the card is another.
        <For each=move || cards.get() key=|card: &NotSentCard| (card.id, card.reason.clone()) let:card>
            {card_view(desk, card)}
        </For>
    }
}

fn card_view(desk: Desk, card: NotSentCard) -> impl IntoView {
    let is_choice = card.choice.is_some();
    let [theirs, mine] = card.choice.clone().map(|values| values.map(|value| format!(": {value}"))).unwrap_or_default();
    view! {
            <section class="not-sent" class:conflict=card.choice.is_some() role="alert" tabindex="-1">
                <Icon name={if card.choice.is_some() { "warning" } else { "rejected" }}/>
                <div>
                    <h2>{card.title}</h2>
                    <p>{card.reason}</p>
                </div>
                <div class="actions">
                    {card.can_edit.then(|| view! {
                        <button type="button" class="button primary small"
                            on:click=move |_| {
                                desk.tell(Msg::NotSentEdited { id: card.id, new_id: clock::new_id() });
                                document::focus_soon("dialog [aria-invalid=true]");
                            }>
                            "Edit and resend"
                        </button>
                    })}
                    {is_choice.then(|| view! {
                        <button type="button" class="button small"
                            on:click=move |_| desk.tell(Msg::Reapplied { id: card.id, new_id: clock::new_id() })>
                            "Reapply mine"{mine}
                        </button>
                    })}
                    <button type="button" class="button small" class:primary=is_choice
                        on:click=move |_| desk.tell(Msg::NotSentDropped(card.id))>
                        {if is_choice { "Keep theirs" } else { "Discard" }}{theirs}
                    </button>
                </div>
            </section>
    }
}
