//! The table of orders, for the page of all orders and for a customer's page.

use super::{Amount, Rows, RowsView, StaleNote, StatusBadge};
use crate::desk::Desk;
use leptos::prelude::*;
use tramline_contract::OrderId;
use tramline_model::{Msg, filter::Sort};
use uuid::Uuid;

/// The table of the orders that the present filter shows.
#[component]
pub fn OrderTable(name: &'static str) -> impl IntoView {
    view! {
        <RowsView rows=Rows {
            label: "Orders",
            name,
            index: |model| &model.order_list.index,
            moved: Msg::OrderWindowMoved,
            head: || view! { <Head/> }.into_any(),
            row: |id, number| view! { <Row id number/> }.into_any(),
        }/>
    }
}

#[component]
fn Head() -> impl IntoView {
    let desk = Desk::here();
    let sort = desk.watch(|model| model.order_list.filter.sort);
    let sorted = move |ascending: Sort, descending: Sort| {
        move || match sort.get() {
            sort if sort == ascending => Some("ascending"),
            sort if sort == descending => Some("descending"),
            _ => None,
        }
    };
    view! {
        <tr role="row" aria-rowindex="1">
            <th role="columnheader" scope="col" class="col-id">"Order"</th>
            <th role="columnheader" scope="col" class="col-customer">"Customer"</th>
            <th role="columnheader" scope="col" class="col-total number"
                aria-sort=sorted(Sort::SmallestTotal, Sort::LargestTotal)>"Total"</th>
            <th role="columnheader" scope="col" class="col-status">"Status"</th>
            <th role="columnheader" scope="col" class="col-version number">"Version"</th>
            <th role="columnheader" scope="col" class="col-updated number">"Updated"</th>
        </tr>
    }
}

#[component]
fn Row(id: Uuid, number: Signal<usize>) -> impl IntoView {
    let desk = Desk::here();
    let row = desk.watch(move |model| model.order_row(OrderId(id)));
    let cell =
        move |read: fn(&tramline_model::view::OrderRow) -> String| move || row.with(|row| row.as_ref().map(read));
    let status = Memo::new(move |_| row.with(|row| row.as_ref().map(|row| row.status.clone())));
    let stale = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.stale.clone())));
    let decided = Memo::new(move |_| row.with(|row| row.as_ref().is_some_and(|row| row.just_decided)));
    let was = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.was.clone())));
    let total = Signal::derive(move || row.with(|row| row.as_ref().map(|row| row.total.clone()).unwrap_or_default()));
    let customer_url = cell(|row| format!("/customers/{}", row.customer_id));
    view! {
        <tr role="row" class="row" class:decided=move || decided.get() data-row=id.to_string()
            aria-rowindex=move || number.get() data-status=move || {
                status.with(|status| status.as_ref().map(|status| status.kind.as_str()))
            }>
            <td role="cell" class="col-id"><a class="row-link id" href=format!("/orders/{id}")>
                {tramline_model::text::short_id(id)}
            </a></td>
            <td role="cell" class="col-customer"><a class="quiet-link" href=customer_url>{cell(|row| row.customer.clone())}</a></td>
            <td role="cell" class="col-total number"><Amount was amount=total/></td>
            <td role="cell" class="col-status"><StatusBadge status/><StaleNote stale/></td>
            <td role="cell" class="col-version number">{cell(|row| row.version.clone().unwrap_or_else(|| "–".to_owned()))}</td>
            <td role="cell" class="col-updated number">{cell(|row| row.updated.clone())}</td>
        </tr>
    }
}
