//! Requests with a time limit: what does not answer in time has not answered.

use crate::browser::timer::Timer;
use js_sys::Promise;
use tramline_model::{
    Millis,
    ask::{Answer, Ask},
    command::{Accepted, Command, Failure},
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, RequestInit, Response};

/// After this time a command's outcome is looked for in another way.
const TIME_LIMIT_MS: Millis = 10_000;

/// Posts a command.
pub async fn post(command: &Command) -> Result<Accepted, Failure> {
    let json = request(&command.path(), Some(command.body())).await?;
    serde_json::from_str(&json).map_err(|_| Failure::NoAnswer)
}

/// Reads something.
pub async fn get(ask: &Ask) -> Result<Answer, Failure> {
    let json = request(&ask.url(), None).await?;
    Answer::parse(ask, &json).map_err(|_| Failure::NoAnswer)
}

/// The text of a good answer, or the failure that another one means.
async fn request(url: &str, body: Option<String>) -> Result<String, Failure> {
    let (is_good, text) = answer(url, body).await.map_err(|_| Failure::NoAnswer)?;
    if is_good { Ok(text) } else { Err(Failure::parse(&text)) }
}

async fn answer(url: &str, body: Option<String>) -> Result<(bool, String), JsValue> {
    let controller = AbortController::new()?;
    let signal = controller.signal();
    // Dropped with the request, and its callback with it.
    let mut limit = Timer::new(move || controller.abort());
    limit.set(TIME_LIMIT_MS);
    let headers = Headers::new()?;
    headers.set("accept", "application/json, application/problem+json")?;
    let init = RequestInit::new();
    init.set_signal(Some(&signal));
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        init.set_method("POST");
        init.set_body(&body.into());
    }
    init.set_headers(&headers);
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let response: Response = wait(window.fetch_with_str_and_init(url, &init)).await?.dyn_into()?;
    let text = wait(response.text()?).await?.as_string().unwrap_or_default();
    Ok((response.ok(), text))
}

async fn wait(promise: Promise) -> Result<JsValue, JsValue> {
    JsFuture::from(promise).await
}
