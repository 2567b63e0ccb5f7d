//! One order's page: where it stands, its facts, its life so far.

use crate::{
    browser::clock,
    components::{Amount, Skeleton, StaleNote, StatusBadge, TroublePanel},
    desk::Desk,
    pages::UnknownPage,
};
use leptos::prelude::*;
use tramline_contract::{Coordination, OrderId};
use tramline_model::{
    Msg, Route,
    change::Change,
    text,
    view::{OrderPage as PageData, PageView, StepState},
};

/// What is on the page as a whole.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Loading,
    Missing,
    Failed,
    Order,
}

/// One order's page.
#[component]
pub fn OrderPage(id: OrderId) -> impl IntoView {
    let desk = Desk::here();
    let page = desk.watch(move |model| model.order_page(id));
    let shows = Memo::new(move |_| {
        page.with(|page| match page {
            PageView::Loading => Shows::Loading,
            PageView::Missing => Shows::Missing,
            PageView::Failed(_) => Shows::Failed,
            PageView::Ready(..) => Shows::Order,
        })
    });
    let trouble = Memo::new(move |_| {
        page.with(|page| match page {
            PageView::Failed(trouble) => Some(trouble.clone()),
            PageView::Ready(_, trouble) => trouble.clone(),
            PageView::Loading | PageView::Missing => None,
        })
    });
    let back = desk.watch(|model| Route::Orders(model.order_list.page_filter.clone()).url());
    view! {
        {move || if shows.get() == Shows::Missing {
            view! { <UnknownPage noun="order"/> }.into_any()
        } else {
            view! {
                <article class="page">
                    <a class="back" href=move || back.get()>"← Orders"</a>
                    <h1 tabindex="-1">"Order "<span class="id">{text::short_id(id.0)}</span></h1>
                    {move || match shows.get() {
                        Shows::Loading => view! { <Skeleton rows=5/> }.into_any(),
                        Shows::Failed => view! { <TroublePanel trouble/> }.into_any(),
                        Shows::Order | Shows::Missing => view! { <TroublePanel trouble is_small=true/><Facts page/><Actions id page/> }.into_any(),
                    }}
                </article>
            }.into_any()
        }}
    }
}

#[component]
fn Facts(page: Memo<PageView<PageData>>) -> impl IntoView {
    let part = move |read: fn(&PageData) -> String| move || page.with(|page| page.ready().map(read));
    let status = Memo::new(move |_| page.with(|page| page.ready().map(|page| page.row.status.clone())));
    let stale = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.row.stale.clone())));
    let note = move || status.with(|status| status.as_ref().and_then(|status| status.note));
    let sentence = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.sentence.clone())));
    let is_rejected = Memo::new(move |_| page.with(|page| page.ready().is_some_and(|page| page.is_rejected)));
    let was = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.row.was.clone())));
    let total = Signal::derive(move || part(|page| page.row.total.clone())().unwrap_or_default());
    let saga = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.saga_id.clone())));
    let customer_url = part(|page| format!("/customers/{}", page.row.customer_id));
    let again_url = part(|page| Route::NewOrder { customer: Some(page.row.customer_id) }.url());
    view! {
        <div class="status-line"><StatusBadge status/><StaleNote stale/></div>
        <p class="note">{note}</p>
        {move || sentence.get().map(|sentence| view! {
            <p class="callout bad">{sentence}" "
                <Show when=move || is_rejected.get()><a href=again_url>"Place another order"</a></Show>
            </p>
        })}
        <Steps page/>
        <dl class="facts">
            <div><dt>"Customer"</dt><dd><a href=customer_url>{part(|page| page.row.customer.clone())}</a></dd></div>
            <div><dt>"Total"</dt><dd class="big"><Amount was amount=total/></dd></div>
            <div><dt>"Version"</dt><dd>{part(|page| page.row.version.clone().unwrap_or_else(|| "–".to_owned()))}</dd></div>
            <div><dt>"Placed"</dt><dd><Moment at=Signal::derive(move || page.with(|page| page.ready().and_then(|page| page.placed_at.clone())))/></dd></div>
            <div><dt>"Last change"</dt><dd><Moment at=Signal::derive(move || page.with(|page| page.ready().and_then(|page| page.updated_at.clone())))/></dd></div>
            <div><dt>"Coordination"</dt><dd>{part(|page| coordination(page.coordination).to_owned())}</dd></div>
            <div class="wide"><dt>"Order id"</dt><dd class="id">{part(|page| page.id.clone())}</dd></div>
            {move || saga.get().map(|saga| view! { <div class="wide"><dt>"Saga id"</dt><dd class="id">{saga}</dd></div> })}
        </dl>
    }
}

#[component]
fn Actions(id: OrderId, page: Memo<PageView<PageData>>) -> impl IntoView {
    let desk = Desk::here();
    let may = move |read: fn(&PageData) -> bool| Memo::new(move |_| page.with(|page| page.ready().is_some_and(read)));
    let (revises, cancels, keeps) =
        (may(|page| page.can_revise), may(|page| page.can_cancel), may(|page| page.can_keep));
    let open = move |change: Change| desk.tell(Msg::ChangeOpened { change, id: clock::new_id() });
    view! {
        <div class="actions">
            <Show when=move || revises.get()>
                <button type="button" class="button" aria-keyshortcuts="e" on:click=move |_| open(Change::Revise(id))>"Revise"</button>
            </Show>
            <Show when=move || cancels.get()>
                <button type="button" class="button" aria-keyshortcuts="c" on:click=move |_| open(Change::Cancel(id))>"Cancel order"</button>
            </Show>
            <Show when=move || keeps.get()>
                <button type="button" class="button" on:click=move |_| desk.tell(Msg::OrderKept(id))>"Don't cancel"</button>
            </Show>
        </div>
    }
}

#[component]
fn Steps(page: Memo<PageView<PageData>>) -> impl IntoView {
    let steps = Memo::new(move |_| page.with(|page| page.ready().map(|page| page.steps.clone()).unwrap_or_default()));
    let words = |state: StepState| match state {
        StepState::Done => ("done", "done"),
        StepState::Current => ("current", "under way"),
        StepState::Ahead => ("ahead", "not yet"),
        StepState::Failed => ("failed", "refused"),
    };
    view! {
        <ol class="steps" aria-label="Progress">
            {move || steps.get().into_iter().map(|step| {
                let (name, said) = words(step.state);
                view! {
                    <li data-step=name aria-current=(step.state == StepState::Current).then_some("step")>
                        {step.label}<span class="visually-hidden">", "{said}</span>
                    </li>
                }
            }).collect_view()}
        </ol>
    }
}

/// What a coordination is called.
pub(super) const fn coordination(way: Coordination) -> &'static str {
    match way {
        Coordination::Orchestration => "Orchestration",
        Coordination::Choreography => "Choreography",
    }
}

/// A moment in the reader's own way of writing it; a dash while there is none.
#[component]
pub fn Moment(#[prop(into)] at: Signal<Option<String>>) -> impl IntoView {
    move || match at.get() {
        Some(at) => {
            let words = clock::in_words(&at).unwrap_or_else(|| at.clone());
            view! { <time datetime=at>{words}</time> }.into_any()
        }
        None => "–".into_any(),
    }
}
