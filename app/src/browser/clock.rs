//! Time, chance and ids: what the model may not fetch itself.

use tramline_contract::uuid_v7;
use tramline_model::Now;
use uuid::Uuid;

/// The present moment, with a throw of the dice.
pub fn now() -> Now {
    Now { ms: js_sys::Date::now() as u64, chance: js_sys::Math::random() }
}

/// A new id that sorts by time.
pub fn new_id() -> Uuid {
    let mut random = [0; 10];
    let crypto = web_sys::window().and_then(|window| window.crypto().ok());
    if crypto.is_none_or(|crypto| crypto.get_random_values_with_u8_array(&mut random).is_err()) {
        random.fill_with(|| (js_sys::Math::random() * 256.0) as u8);
    }
    uuid_v7(now().ms, random)
}

/// A moment as the reader's own language writes it. `None` when the text is no moment.
pub fn in_words(rfc_3339: &str) -> Option<String> {
    let date = js_sys::Date::new(&rfc_3339.into());
    (!date.get_time().is_nan()).then(|| date.to_locale_string("default", &wasm_bindgen::JsValue::UNDEFINED).into())
}
