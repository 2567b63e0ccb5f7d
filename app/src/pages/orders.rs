//! The page of all orders: filters, the table, the way to a new one.

use crate::{
    components::{Combobox, EmptyPanel, Icon, NewRowsPill, OrderTable, SampleButton, Skeleton, TroublePanel},
    desk::Desk,
};
use leptos::prelude::*;
use tramline_contract::OrderState;
use tramline_model::{
    Msg, Route,
    filter::{OrderFilter, Sort},
    view::ListState,
};

/// The states that the filter offers.
const STATES: [(OrderState, &str); 6] = [
    (OrderState::Pending, "Pending"),
    (OrderState::Approved, "Approved"),
    (OrderState::Rejected, "Rejected"),
    (OrderState::RevisionPending, "Revising"),
    (OrderState::CancelPending, "Cancelling"),
    (OrderState::Cancelled, "Cancelled"),
];

/// The page of all orders.
#[component]
pub fn OrdersPage() -> impl IntoView {
    let desk = Desk::here();
    let view = desk.watch(tramline_model::Model::order_list_view);
    let waiting = Memo::new(move |_| view.with(|view| view.waiting));
    let new_url = desk.watch(|model| Route::NewOrder { customer: model.order_list.page_filter.customer }.url());
    view! {
        <div class="list-page">
            <div class="page-head">
                <h1 tabindex="-1">"Orders"</h1>
                <p class="summary">{move || view.with(|view| view.summary.clone())}</p>
                <a class="button primary" href=move || new_url.get()><Icon name="plus"/>"Place order"</a>
            </div>
            <Filters/>
            <div class="list-body">
                <NewRowsPill waiting noun=["order", "orders"]/>
                <OrderList/>
            </div>
        </div>
    }
}

#[component]
fn Filters() -> impl IntoView {
    let desk = Desk::here();
    let filter = desk.watch(|model| model.order_list.page_filter.clone());
    let change = move |typed: bool, change: &dyn Fn(&mut OrderFilter)| {
        let mut filter = filter.get_untracked();
        change(&mut filter);
        desk.tell(Msg::OrdersFiltered { filter, typed });
    };
    let state = move || filter.with(|filter| filter.state.map(|state| state.as_str()).unwrap_or_default());
    let customer = Memo::new(move |_| filter.with(|filter| filter.customer));
    let is_narrow = Memo::new(move |_| filter.with(OrderFilter::is_narrow));
    view! {
        <form class="filters" role="search" aria-label="Orders" on:submit=|event| event.prevent_default()>
            <div class="field search">
                <label for="order-search">"Search"</label>
                <input id="order-search" type="search" data-search="" autocomplete="off" spellcheck="false"
                    placeholder="Order id or customer" aria-keyshortcuts="/"
                    prop:value=move || filter.with(|filter| filter.search.clone())
                    on:input=move |event| {
                        let search = event_target_value(&event);
                        change(true, &|filter| filter.search.clone_from(&search));
                    }/>
            </div>
            <div class="field">
                <label for="order-status">"Status"</label>
                <select id="order-status" prop:value=state on:change=move |event| {
                    let state = OrderState::parse(&event_target_value(&event));
                    change(false, &|filter| filter.state = state);
                }>
                    <option value="" selected=move || state().is_empty()>"All statuses"</option>
                    {STATES.map(|(value, label)| view! {
                        <option value=value.as_str() selected=move || state() == value.as_str()>{label}</option>
                    }).collect_view()}
                </select>
            </div>
            <Combobox id="order-customer" label="Customer" placeholder="All customers" chosen=customer
                on_choose=move |customer| change(false, &|filter| filter.customer = customer)/>
            <div class="field">
                <label for="order-sort">"Sort"</label>
                <select id="order-sort" prop:value=move || filter.with(|filter| filter.sort.as_str())
                    on:change=move |event| {
                        let sort = Sort::parse(&event_target_value(&event));
                        change(false, &|filter| filter.sort = sort);
                    }>
                    {Sort::ALL.map(|sort| view! {
                        <option value=sort.as_str() selected=move || filter.with(|filter| filter.sort == sort)>
                            {sort.label()}
                        </option>
                    }).collect_view()}
                </select>
            </div>
            <Show when=move || is_narrow.get()>
                <a class="button" href="/orders">"Clear filters"</a>
            </Show>
        </form>
    }
}

#[component]
fn OrderList() -> impl IntoView {
    let desk = Desk::here();
    let state = desk.watch(|model| model.order_list_view().state);
    let is_rows = Memo::new(move |_| state.with(|state| matches!(state, ListState::Rows(_))));
    let trouble = Memo::new(move |_| match state.get() {
        ListState::Rows(trouble) => trouble,
        ListState::Loading | ListState::Failed(_) | ListState::Empty | ListState::NoMatches => None,
    });
    view! {
        <TroublePanel trouble is_small=true/>
        {move || if is_rows.get() {
            view! { <OrderTable name="orders"/> }.into_any()
        } else {
            match state.get() {
                ListState::Loading | ListState::Rows(_) => view! { <Skeleton rows=8/> }.into_any(),
                ListState::Failed(trouble) => view! { <TroublePanel trouble=Some(trouble)/> }.into_any(),
                ListState::Empty => view! {
                    <EmptyPanel title="No orders yet" text="Orders appear here as they are placed, and settle by themselves.">
                        <a class="button primary" href="/orders/new">"Place the first order"</a>
                        <SampleButton/>
                    </EmptyPanel>
                }.into_any(),
                ListState::NoMatches => view! {
                    <EmptyPanel title="No orders match" text="Try fewer filters, or another search.">
                        <a class="button" href="/orders">"Show all orders"</a>
                    </EmptyPanel>
                }.into_any(),
            }
        }}
    }
}
