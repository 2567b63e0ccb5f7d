//! Theme and keyboard.

use crate::desk::Desk;
use leptos::prelude::*;
use tramline_model::{
    Msg,
    settings::{Settings, Theme},
};

/// Theme and keyboard.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let desk = Desk::here();
    let settings = desk.watch(|model| model.settings);
    let label = |theme: Theme| match theme {
        Theme::System => "As the device says",
        Theme::Light => "Light",
        Theme::Dark => "Dark",
    };
    let choose = move |theme: Theme| {
        desk.tell(Msg::SettingsChanged(Settings { theme, ..settings.get_untracked() }));
    };
    let switch = move |event| {
        desk.tell(Msg::SettingsChanged(Settings {
            shortcuts: event_target_checked(&event),
            ..settings.get_untracked()
        }));
    };
    view! {
        <article class="page settings">
            <h1 tabindex="-1">"Settings"</h1>
            <fieldset>
                <legend>"Theme"</legend>
                {Theme::ALL.map(|theme| view! {
                    <label class="choice">
                        <input type="radio" name="theme" value=theme.as_str()
                            prop:checked=move || settings.get().theme == theme
                            on:change=move |_| choose(theme)/>
                        {label(theme)}
                    </label>
                }).collect_view()}
            </fieldset>
            <fieldset>
                <legend>"Keyboard"</legend>
                <label class="choice">
                    <input type="checkbox" prop:checked=move || settings.get().shortcuts on:change=switch/>
                    "Single-key shortcuts"
                </label>
                <p class="muted">"They never act while you type."</p>
            </fieldset>
            <p class="muted">"These choices are kept on this device."</p>
        </article>
    }
}
