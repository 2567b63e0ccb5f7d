//! The address bar: the page's address, links that stay within the page, back and forward.

use tramline_model::Route;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, MouseEvent};

/// The page that the address bar names.
pub fn route() -> Route {
    let location = web_sys::window().map(|window| window.location());
    let part = |read: fn(&web_sys::Location) -> Result<String, JsValue>| {
        location.as_ref().and_then(|location| read(location).ok()).unwrap_or_default()
    };
    Route::parse(&part(web_sys::Location::pathname), &part(web_sys::Location::search))
}

/// Shows a page's address.
pub fn show(route: &Route, replace: bool) {
    let Some(history) = web_sys::window().and_then(|window| window.history().ok()) else { return };
    let url = route.url();
    let _ = if replace {
        history.replace_state_with_url(&JsValue::NULL, "", Some(&url))
    } else {
        history.push_state_with_url(&JsValue::NULL, "", Some(&url))
    };
}

/// The page that a click asks for, if it is a plain click on a link of ours.
pub fn followed(event: &MouseEvent) -> Option<Route> {
    let is_plain =
        event.button() == 0 && !(event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key());
    if !is_plain || event.default_prevented() {
        return None;
    }
    let link = event.target()?.dyn_into::<Element>().ok()?.closest("a[href]").ok()??;
    let href = link.get_attribute("href")?;
    let is_ours = href.starts_with('/') && !href.starts_with("//") && !link.has_attribute("target");
    is_ours.then(|| {
        let (path, search) = href.split_once('?').unwrap_or((&href, ""));
        Route::parse(path, search)
    })
}
