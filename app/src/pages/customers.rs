//! The page of all customers.

use crate::{
    components::{
        EmptyPanel, Icon, NewRowsPill, Rows, RowsView, SampleButton, Skeleton, StaleNote, StatusBadge, TroublePanel,
    },
    desk::Desk,
};
use leptos::prelude::*;
use tramline_contract::CustomerId;
use tramline_model::{
    Msg,
    view::{CustomerRow, ListState},
};
use uuid::Uuid;

/// The page of all customers.
#[component]
pub fn CustomersPage() -> impl IntoView {
    let desk = Desk::here();
    let view = desk.watch(tramline_model::Model::customer_list_view);
    let waiting = Memo::new(move |_| view.with(|view| view.waiting));
    let search = desk.watch(|model| model.customer_list.search.clone());
    view! {
        <div class="list-page">
            <div class="page-head">
                <h1 tabindex="-1">"Customers"</h1>
                <p class="summary">{move || view.with(|view| view.summary.clone())}</p>
                <a class="button primary" href="/customers/new"><Icon name="plus"/>"Add customer"</a>
            </div>
            <form class="filters" role="search" aria-label="Customers" on:submit=|event| event.prevent_default()>
                <div class="field search">
                    <label for="customer-search">"Search"</label>
                    <input id="customer-search" type="search" data-search="" autocomplete="off" spellcheck="false"
                        placeholder="Name" aria-keyshortcuts="/" prop:value=move || search.get()
                        on:input=move |event| desk.tell(Msg::CustomersSearched(event_target_value(&event)))/>
                </div>
            </form>
            <div class="list-body">
                <NewRowsPill waiting noun=["customer", "customers"]/>
                <CustomerList/>
            </div>
        </div>
    }
}

#[component]
fn CustomerList() -> impl IntoView {
    let desk = Desk::here();
    let state = desk.watch(|model| model.customer_list_view().state);
    let is_rows = Memo::new(move |_| state.with(|state| matches!(state, ListState::Rows(_))));
    let trouble = Memo::new(move |_| match state.get() {
        ListState::Rows(trouble) => trouble,
        ListState::Loading | ListState::Failed(_) | ListState::Empty | ListState::NoMatches => None,
    });
    view! {
        <TroublePanel trouble is_small=true/>
        {move || if is_rows.get() {
            view! { <RowsView rows=ROWS/> }.into_any()
        } else {
            match state.get() {
                ListState::Loading | ListState::Rows(_) => view! { <Skeleton rows=8/> }.into_any(),
                ListState::Failed(trouble) => view! { <TroublePanel trouble=Some(trouble)/> }.into_any(),
                ListState::Empty => view! {
                    <EmptyPanel title="No customers yet" text="Add a customer to start. Orders are placed on a customer's credit.">
                        <a class="button primary" href="/customers/new">"Add the first customer"</a>
                        <SampleButton/>
                    </EmptyPanel>
                }.into_any(),
                ListState::NoMatches => view! {
                    <EmptyPanel title="No customers match" text="Try another search.">
                        <a class="button" href="/customers">"Show all customers"</a>
                    </EmptyPanel>
                }.into_any(),
            }
        }}
    }
}

const ROWS: Rows = Rows {
    label: "Customers",
    name: "customers",
    index: |model| &model.customer_list.index,
    moved: Msg::CustomerWindowMoved,
    head: || view! { <Head/> }.into_any(),
    row: |id, number| view! { <Row id number/> }.into_any(),
};

#[component]
fn Head() -> impl IntoView {
    view! {
        <tr role="row" aria-rowindex="1">
            <th role="columnheader" scope="col" class="col-name">"Customer"</th>
            <th role="columnheader" scope="col" class="col-limit number">"Credit limit"</th>
            <th role="columnheader" scope="col" class="col-reserved number">"Reserved"</th>
            <th role="columnheader" scope="col" class="col-available number">"Available"</th>
            <th role="columnheader" scope="col" class="col-orders number">"Orders"</th>
            <th role="columnheader" scope="col" class="col-version number">"Version"</th>
        </tr>
    }
}

#[component]
fn Row(id: Uuid, number: Signal<usize>) -> impl IntoView {
    let desk = Desk::here();
    let row = desk.watch(move |model| model.customer_row(CustomerId(id)));
    let cell = move |read: fn(&CustomerRow) -> Option<String>| {
        move || row.with(|row| row.as_ref().map(|row| read(row).unwrap_or_else(|| "–".to_owned())))
    };
    let status = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.status.clone())));
    let is_on_its_way = Memo::new(move |_| status.with(Option::is_some));
    let stale = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.stale.clone())));
    let overdrawn = Memo::new(move |_| row.with(|row| row.as_ref().is_some_and(|row| row.is_overdrawn)));
    view! {
        <tr role="row" class="row" data-row=id.to_string() aria-rowindex=move || number.get()>
            <td role="cell" class="col-name">
                <a class="row-link" href=format!("/customers/{id}")>{cell(|row| Some(row.name.clone()))}</a>
                <Show when=move || is_on_its_way.get()><StatusBadge status/></Show>
                <StaleNote stale/>
            </td>
            <td role="cell" class="col-limit number">{cell(|row| Some(row.credit_limit.clone()))}</td>
            <td role="cell" class="col-reserved number">{cell(|row| row.reserved.clone())}</td>
            <td role="cell" class="col-available number" class:overdrawn=move || overdrawn.get()>{cell(|row| row.available.clone())}</td>
            <td role="cell" class="col-orders number">{cell(|row| row.orders.clone())}</td>
            <td role="cell" class="col-version number">{cell(|row| row.version.clone())}</td>
        </tr>
    }
}
