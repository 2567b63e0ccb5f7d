//! Keys that act everywhere: `/`, `?`, `n`, `e`, `c`, `g o`, `g c`. They never act while the user types or a dialog is open.

use crate::{
    browser::{clock, document},
    desk::Desk,
};
use leptos::{ev, prelude::*};
use tramline_contract::OrderId;
use tramline_model::{Millis, Msg, Route, change::Change};
use web_sys::KeyboardEvent;

/// The second key of a pair must follow within this time.
const PAIR_MS: Millis = 1_500;

/// Listens for as long as the page lives.
pub fn listen(desk: Desk) {
    let pair_until = StoredValue::new(0);
    let _ = window_event_listener(ev::keydown, move |event| {
        if !is_shortcut(&event, desk) {
            return;
        }
        let is_pair = clock::now().ms < pair_until.get_value();
        pair_until.set_value(0);
        let acted = match event.key().as_str() {
            "o" if is_pair => go(desk, desk.read(|model| Route::Orders(model.order_list.page_filter.clone()))),
            "c" if is_pair => go(desk, Route::all_customers()),
            "g" => {
                pair_until.set_value(clock::now().ms + PAIR_MS);
                true
            }
            "/" => document::find("[data-search]").is_some_and(|search| search.focus().is_ok()),
            "?" => {
                desk.shows_help.set(true);
                true
            }
            "e" => change(desk, Change::Revise),
            "c" => change(desk, Change::Cancel),
            "n" => go(desk, desk.read(|model| new_on(&model.route))),
            _ => false,
        };
        if acted {
            event.prevent_default();
        }
    });
}

/// Whether a key may be a shortcut where it was pressed.
pub fn is_shortcut(event: &KeyboardEvent, desk: Desk) -> bool {
    let is_plain = !(event.ctrl_key() || event.meta_key() || event.alt_key() || event.default_prevented());
    let is_typing = document::focused().is_some_and(|element| document::takes_text(&element));
    is_plain && !is_typing && !document::has_open_dialog() && desk.read(|model| model.settings.shortcuts)
}

fn go(desk: Desk, route: Route) -> bool {
    desk.go(route);
    true
}

/// Opens the dialog of a change for the order at hand: the focused row, or the page's own.
fn change(desk: Desk, change: fn(OrderId) -> Change) -> bool {
    let opened = desk.read(|model| if let Route::Order(id) = model.route { Some(id) } else { None });
    let is_order = |id: &OrderId| desk.read(|model| model.status(*id).is_some());
    let order = desk.focused_row.get_untracked().map(OrderId).filter(is_order).or(opened);
    if let Some(order) = order {
        desk.tell(Msg::ChangeOpened { change: change(order), id: clock::new_id() });
    }
    order.is_some()
}

fn new_on(route: &Route) -> Route {
    match route {
        Route::Customers { .. } | Route::NewCustomer | Route::UnknownCustomer(_) => Route::NewCustomer,
        Route::Customer(id) => Route::NewOrder { customer: Some(*id) },
        Route::Orders(filter) => Route::NewOrder { customer: filter.customer },
        Route::NewOrder { .. } | Route::Order(_) | Route::UnknownOrder(_) | Route::Settings | Route::NotFound => {
            Route::NewOrder { customer: None }
        }
    }
}
