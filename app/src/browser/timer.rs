//! Timers that end with their owner.
//!
//! Handles are kept as `f64`, because a test's fake clock counts them beyond 32 bits; and a timer keeps its own callback, because one
//! that is cleared would otherwise never be freed.

use tramline_model::Millis;
use wasm_bindgen::{
    JsCast,
    prelude::{Closure, wasm_bindgen},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, delay_ms: f64) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(handle: f64);
}

/// A timer that can be set again and again. Dropping it clears it.
pub struct Timer {
    callback: Closure<dyn FnMut()>,
    handle: Option<f64>,
}

impl Timer {
    /// A timer that is not set yet.
    pub fn new(callback: impl FnMut() + 'static) -> Self {
        Self { callback: Closure::new(callback), handle: None }
    }

    /// Calls back once, after a delay; an earlier setting no longer counts.
    pub fn set(&mut self, delay_ms: Millis) {
        self.clear();
        self.handle = Some(set_timeout(self.callback.as_ref().unchecked_ref(), delay_ms as f64));
    }

    /// Does not call back.
    pub fn clear(&mut self) {
        if let Some(handle) = self.handle.take() {
            clear_timeout(handle);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}
