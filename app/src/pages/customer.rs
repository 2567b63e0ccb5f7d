//! One customer's page: credit, confirmed and on hold apart, and the customer's orders.

use crate::{
    browser::clock,
    components::{Amount, EmptyPanel, Icon, NewRowsPill, OrderTable, Skeleton, StaleNote, StatusBadge, TroublePanel},
    desk::Desk,
    pages::{UnknownPage, order::Moment},
};
use leptos::prelude::*;
use tramline_contract::CustomerId;
use tramline_model::{
    Msg, Route,
    change::Change,
    text,
    view::{CustomerPage as PageData, ListState, PageView},
};

/// What is on the page as a whole.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Loading,
    Missing,
    Failed,
    Customer,
}

/// One customer's page.
#[component]
pub fn CustomerPage(id: CustomerId) -> impl IntoView {
    let desk = Desk::here();
    let page = desk.watch(move |model| model.customer_page(id));
    let shows = Memo::new(move |_| {
        page.with(|page| match page {
            PageView::Loading => Shows::Loading,
            PageView::Missing => Shows::Missing,
            PageView::Failed(_) => Shows::Failed,
            PageView::Ready(..) => Shows::Customer,
        })
    });
    let trouble = Memo::new(move |_| {
        page.with(|page| match page {
            PageView::Failed(trouble) => Some(trouble.clone()),
            PageView::Ready(_, trouble) => trouble.clone(),
            PageView::Loading | PageView::Missing => None,
        })
    });
    let can_change = Memo::new(move |_| page.with(|page| page.ready().is_some_and(|page| page.can_change)));
    let open = move |change: Change| desk.tell(Msg::ChangeOpened { change, id: clock::new_id() });
    let name = move || {
        let name = page.with(|page| page.ready().map(|page| page.row.name.clone()));
        name.unwrap_or_else(|| format!("Customer {}", text::short_id(id.0)))
    };
    view! {
        {move || if shows.get() == Shows::Missing {
            view! { <UnknownPage noun="customer"/> }.into_any()
        } else {
            view! {
                <article class="page with-list">
                    <a class="back" href="/customers">"← Customers"</a>
                    <div class="page-head">
                        <h1 tabindex="-1">{name}</h1>
                        <Show when=move || can_change.get()>
                            <button type="button" class="button" on:click=move |_| open(Change::CreditLimit(id))>"Change limit"</button>
                            <button type="button" class="button" on:click=move |_| open(Change::Payment(id))>"Record payment"</button>
                        </Show>
                        <a class="button primary" href=Route::NewOrder { customer: Some(id) }.url()>
                            <Icon name="plus"/>"Place order"
                        </a>
                    </div>
                    {move || match shows.get() {
                        Shows::Loading => view! { <Skeleton rows=5/> }.into_any(),
                        Shows::Failed => view! { <TroublePanel trouble/> }.into_any(),
                        Shows::Customer | Shows::Missing => view! {
                            <TroublePanel trouble is_small=true/><Credit page/><Orders/>
                        }.into_any(),
                    }}
                </article>
            }.into_any()
        }}
    }
}

#[component]
fn Credit(page: Memo<PageView<PageData>>) -> impl IntoView {
    let part = move |read: fn(&PageData) -> Option<String>| {
        move || page.with(|page| page.ready().map(|page| read(page).unwrap_or_else(|| "–".to_owned())))
    };
    let is_there = move |read: fn(&PageData) -> Option<String>| {
        Memo::new(move |_| page.with(|page| page.ready().and_then(read).is_some()))
    };
    let status = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.row.status.clone())));
    let is_on_its_way = Memo::new(move |_| status.with(Option::is_some));
    let stale = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.row.stale.clone())));
    let percent = move |read: fn(&PageData) -> u8| move || page.with(|page| page.ready().map(read).unwrap_or_default());
    let used = percent(|page| page.row.used_percent);
    let held = percent(|page| page.on_hold_percent.min(100 - page.row.used_percent));
    let has_paid = is_there(|page| page.paid.clone());
    let is_being_paid = is_there(|page| page.being_paid.clone());
    let was = Memo::new(move |_| page.with(|page| page.ready().and_then(|page| page.row.was.clone())));
    let limit = Signal::derive(move || {
        page.with(|page| page.ready().map(|page| page.row.credit_limit.clone()).unwrap_or_default())
    });
    let is_on_hold = is_there(|page| page.on_hold.clone());
    view! {
        <div class="status-line">
            <Show when=move || is_on_its_way.get()><StatusBadge status/></Show>
            <StaleNote stale/>
        </div>
        <div class="meter" role="meter" aria-label="Credit in use" aria-valuemin="0" aria-valuemax="100"
            aria-valuenow=move || used().to_string() aria-valuetext=move || format!("{} % of the limit", used())>
            <span class="meter-used" style:width=move || format!("{}%", used())></span>
            <span class="meter-held" style:width=move || format!("{}%", held())></span>
        </div>
        <dl class="facts">
            <div><dt>"Available"</dt><dd class="big">{part(|page| page.row.available.clone())}</dd></div>
            <div><dt>"Credit limit"</dt><dd><Amount was amount=limit/></dd></div>
            <div><dt>"Reserved"</dt><dd>{part(|page| page.row.reserved.clone())}</dd></div>
            <Show when=move || is_on_hold.get()>
                <div><dt>"On hold"</dt><dd>{part(|page| page.on_hold.clone())}" being decided"</dd></div>
            </Show>
            <Show when=move || has_paid.get()>
                <div><dt>"Paid"</dt><dd>{part(|page| page.paid.clone())}</dd></div>
            </Show>
            <Show when=move || is_being_paid.get()>
                <div><dt>"Payment"</dt><dd>{part(|page| page.being_paid.clone())}" on its way"</dd></div>
            </Show>
            <div><dt>"Orders placed"</dt><dd>{part(|page| page.row.orders.clone())}</dd></div>
            <div><dt>"Version"</dt><dd>{part(|page| page.row.version.clone())}</dd></div>
            <div><dt>"Since"</dt><dd><Moment at=Signal::derive(move || page.with(|page| page.ready().and_then(|page| page.created_at.clone())))/></dd></div>
            <div class="wide"><dt>"Customer id"</dt><dd class="id">{part(|page| Some(page.id.clone()))}</dd></div>
        </dl>
    }
}

#[component]
fn Orders() -> impl IntoView {
    let desk = Desk::here();
    let view = desk.watch(tramline_model::Model::order_list_view);
    let waiting = Memo::new(move |_| view.with(|view| view.waiting));
    let state = Memo::new(move |_| view.with(|view| view.state.clone()));
    let is_rows = Memo::new(move |_| state.with(|state| matches!(state, ListState::Rows(_))));
    view! {
        <div class="section-head">
            <h2>"Orders"</h2>
            <p class="summary">{move || view.with(|view| view.summary.clone())}</p>
        </div>
        <div class="list-body">
            <NewRowsPill waiting noun=["order", "orders"]/>
            {move || if is_rows.get() {
                view! { <OrderTable name="customer-orders"/> }.into_any()
            } else {
                match state.get() {
                    ListState::Loading | ListState::Rows(_) => view! { <Skeleton rows=5/> }.into_any(),
                    ListState::Failed(trouble) => view! { <TroublePanel trouble=Some(trouble)/> }.into_any(),
                    ListState::Empty | ListState::NoMatches => view! {
                        <EmptyPanel title="No orders of this customer" text="Orders on this customer's credit appear here.">
                            ""
                        </EmptyPanel>
                    }.into_any(),
                }
            }}
        </div>
    }
}
