//! Addresses that lead nowhere. They stay in the address bar: whoever followed the link can see what was wrong with it.

use crate::desk::Desk;
use leptos::{html, prelude::*};
use tramline_model::{Route, filter::OrderFilter};

/// No such page.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! {
        <article class="page">
            <h1 tabindex="-1">"This page doesn't exist"</h1>
            <p>"The address may be mistyped, or the page may have moved."</p>
            <p><a class="button" href="/orders">"Go to orders"</a></p>
        </article>
    }
}

/// No such order or customer, and a way to look for it.
#[component]
pub fn UnknownPage(noun: &'static str) -> impl IntoView {
    let desk = Desk::here();
    let input = NodeRef::<html::Input>::new();
    let search = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let search = input.get_untracked().map(|input| input.value()).unwrap_or_default();
        desk.go(match noun {
            "order" => Route::Orders(OrderFilter { search, ..OrderFilter::default() }),
            _ => Route::Customers { search },
        });
    };
    view! {
        <article class="page">
            <h1 tabindex="-1">"We can't find that "{noun}</h1>
            <p>"The id in the address may be mistyped, or it may belong to another desk."</p>
            <form class="filters" role="search" on:submit=search>
                <div class="field search">
                    <label for="unknown-search">"Search "{noun}"s"</label>
                    <input id="unknown-search" node_ref=input type="search" data-search="" autocomplete="off"/>
                </div>
                <button type="submit" class="button primary">"Search"</button>
            </form>
        </article>
    }
}
