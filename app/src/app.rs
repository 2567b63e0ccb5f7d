//! The whole page: header, banner, the page that the address names, and what is said and shown beside it.

use crate::{
    browser::{document, history},
    components::{Header, HelpDialog, LiveRegions, NotSentCards, Toasts, banner::ConnectionBanner, keyboard},
    desk::Desk,
    pages::{
        ChangeDialog, CustomerPage, CustomersPage, NewCustomerDialog, NewOrderDialog, NotFoundPage, OrderPage,
        OrdersPage, SettingsPage, UnknownPage,
    },
};
use leptos::{ev, prelude::*};
use tramline_contract::{CustomerId, OrderId};
use tramline_model::{Msg, Route};

/// A page, without what only changes something on it.
#[derive(Clone, PartialEq)]
enum Page {
    Orders,
    Order(OrderId),
    Customers,
    Customer(CustomerId),
    Settings,
    UnknownOrder,
    UnknownCustomer,
    NotFound,
}

impl Page {
    fn of(route: &Route) -> Self {
        match route {
            Route::Orders(_) | Route::NewOrder { .. } => Self::Orders,
            Route::Order(id) => Self::Order(*id),
            Route::Customers { .. } | Route::NewCustomer => Self::Customers,
            Route::Customer(id) => Self::Customer(*id),
            Route::Settings => Self::Settings,
            Route::UnknownOrder(_) => Self::UnknownOrder,
            Route::UnknownCustomer(_) => Self::UnknownCustomer,
            Route::NotFound => Self::NotFound,
        }
    }
}

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let desk = Desk::start();
    provide_context(desk);
    listen(desk);

    let page = desk.watch(|model| Page::of(&model.route));
    let title = desk.watch(|model| model.route.title());
    Effect::new(move |_| title.with(|title| document::set_title(title)));
    Effect::new(move |before: Option<Page>| {
        let now = page.get();
        if before.is_some_and(|before| before != now) {
            document::focus_soon("main h1");
        }
        now
    });

    view! {
        <a class="skip-link" href="#main" on:click=move |event| {
            event.prevent_default();
            document::focus_soon("main h1");
        }>"Skip to content"</a>
        <Header/>
        <ConnectionBanner/>
        <main id="main">
            <NotSentCards/>
            {move || match page.get() {
                Page::Orders => view! { <OrdersPage/> }.into_any(),
                Page::Order(id) => view! { <OrderPage id/> }.into_any(),
                Page::Customers => view! { <CustomersPage/> }.into_any(),
                Page::Customer(id) => view! { <CustomerPage id/> }.into_any(),
                Page::Settings => view! { <SettingsPage/> }.into_any(),
                Page::UnknownOrder => view! { <UnknownPage noun="order"/> }.into_any(),
                Page::UnknownCustomer => view! { <UnknownPage noun="customer"/> }.into_any(),
                Page::NotFound => view! { <NotFoundPage/> }.into_any(),
            }}
        </main>
        <Dialogs/>
        <Toasts/>
        <LiveRegions/>
    }
}

#[component]
fn Dialogs() -> impl IntoView {
    let desk = Desk::here();
    let places = desk.watch(|model| matches!(model.route, Route::NewOrder { .. }));
    let adds = desk.watch(|model| matches!(model.route, Route::NewCustomer));
    let changes = desk.watch(|model| model.change.as_ref().map(|draft| draft.change));
    view! {
        {move || changes.get().map(|change| view! { <ChangeDialog change/> })}
        <Show when=move || places.get()><NewOrderDialog/></Show>
        <Show when=move || adds.get()><NewCustomerDialog/></Show>
        <Show when=move || desk.shows_help.get()><HelpDialog/></Show>
    }
}

/// Everything that happens to the page as a whole. The page never goes, so neither do the listeners.
fn listen(desk: Desk) {
    let _ = window_event_listener(ev::popstate, move |_| desk.tell(Msg::RouteChanged(history::route())));
    let _ = window_event_listener(ev::online, move |_| desk.tell(Msg::CameOnline));
    let _ = window_event_listener(ev::offline, move |_| desk.tell(Msg::WentOffline));
    let _ = window_event_listener(ev::pagehide, move |_| desk.tell(Msg::PageHidden));
    let _ = window_event_listener(ev::visibilitychange, move |_| {
        desk.flush_frames();
        desk.tell(if document::is_hidden() { Msg::PageHidden } else { Msg::BecameVisible });
    });
    let _ = window_event_listener(ev::click, move |event| {
        if let Some(route) = history::followed(&event) {
            event.prevent_default();
            desk.go(route);
        }
    });
    keyboard::listen(desk);
}
