//! The header: brand, pages, the connection, the theme.

use super::Icon;
use crate::desk::Desk;
use leptos::prelude::*;
use tramline_model::{
    Msg, Route,
    settings::{Settings, Theme},
};

/// The header.
#[component]
pub fn Header() -> impl IntoView {
    let desk = Desk::here();
    let orders_url = desk.watch(|model| Route::Orders(model.order_list.page_filter.clone()).url());
    let section = desk.watch(|model| match model.route {
        Route::Orders(_) | Route::NewOrder { .. } | Route::Order(_) | Route::UnknownOrder(_) => "orders",
        Route::Customers { .. } | Route::NewCustomer | Route::Customer(_) | Route::UnknownCustomer(_) => "customers",
        Route::Settings => "settings",
        Route::NotFound => "",
    });
    let current = move |name: &'static str| move || (section.get() == name).then_some("page");
    view! {
        <header class="header">
            <a class="brand" href="/orders"><Icon name="brand"/><span>"Tramline"</span></a>
            <nav class="nav" aria-label="Main">
                <a href=move || orders_url.get() aria-current=current("orders")>"Orders"</a>
                <a href="/customers" aria-current=current("customers")>"Customers"</a>
            </nav>
            <ConnectionDot/>
            <div class="header-tools">
                <button type="button" class="icon-button" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)"
                    on:click=move |_| desk.shows_help.set(true)><Icon name="keyboard"/></button>
                <ThemeButton/>
                <a class="icon-button" href="/settings" aria-label="Settings" title="Settings"
                    aria-current=current("settings")><Icon name="settings"/></a>
            </div>
        </header>
    }
}

#[component]
fn ConnectionDot() -> impl IntoView {
    let desk = Desk::here();
    let connection = desk.watch(|model| {
        let view = model.connection_view();
        (view.dot.as_str(), view.label)
    });
    view! {
        <div class="connection" role="group" aria-label="Connection" data-dot=move || connection.get().0>
            <span class="dot" aria-hidden="true"></span>
            <span class="connection-label">{move || connection.get().1}</span>
        </div>
    }
}

#[component]
fn ThemeButton() -> impl IntoView {
    let desk = Desk::here();
    let theme = desk.watch(|model| model.settings.theme);
    let next = move || match theme.get() {
        Theme::System => Theme::Light,
        Theme::Light => Theme::Dark,
        Theme::Dark => Theme::System,
    };
    let label = move || format!("Theme: {}", theme.get().as_str());
    let icon = Signal::derive(move || match theme.get() {
        Theme::System => "theme-system",
        Theme::Light => "theme-light",
        Theme::Dark => "theme-dark",
    });
    let change = move |_| {
        let settings = desk.read(|model| model.settings);
        desk.tell(Msg::SettingsChanged(Settings { theme: next(), ..settings }));
    };
    view! {
        <button type="button" class="icon-button" aria-label=label title=label on:click=change><Icon name=icon/></button>
    }
}
