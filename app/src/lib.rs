//! The order desk in the browser: a thin shell around [`tramline_model`].
//!
//! Messages go into the model; its effects are performed here, by [`browser`] and [`net`]. [`pages`] and [`components`] show the
//! model's views and decide nothing.

mod app;
mod browser;
mod components;
mod desk;
mod net;
mod pages;

use wasm_bindgen::prelude::wasm_bindgen;

/// Takes the place of the static skeleton in `index.html`.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    let Some(root) = browser::root() else { return };
    root.set_inner_html("");
    leptos::mount::mount_to(root, app::App).forget();
}
