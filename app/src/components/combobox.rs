//! A text field with a list of customers to choose from (the ARIA combobox pattern).

use super::Icon;
use crate::desk::Desk;
use leptos::{html, prelude::*};
use tramline_contract::CustomerId;
use web_sys::KeyboardEvent;

/// How many customers the list shows; who is not among them is found by typing more.
const OPTIONS_SHOWN: usize = 30;

/// Chooses a customer, or none.
#[component]
pub fn Combobox(
    id: &'static str,
    label: &'static str,
    #[prop(optional)] placeholder: &'static str,
    #[prop(into)] chosen: Signal<Option<CustomerId>>,
    on_choose: impl Fn(Option<CustomerId>) + Copy + Send + Sync + 'static,
    #[prop(optional, into)] error: MaybeProp<String>,
    #[prop(optional, into)] hint: MaybeProp<String>,
    #[prop(optional)] takes_focus: bool,
) -> impl IntoView {
    let desk = Desk::here();
    let input = NodeRef::<html::Input>::new();
    let is_open = RwSignal::new(false);
    let typed = RwSignal::new(None::<String>);
    let active = RwSignal::new(0_usize);

    let chosen_name = desk.watch(move |model| {
        chosen
            .get()
            .map(|id| model.customer_name(id).map_or_else(|| tramline_model::text::short_id(id.0), str::to_owned))
    });
    let text = move || typed.get().unwrap_or_else(|| chosen_name.get().unwrap_or_default());
    let options = desk.watch(move |model| {
        if is_open.get() { model.customer_options(&typed.get().unwrap_or_default(), OPTIONS_SHOWN) } else { Vec::new() }
    });
    let close = move || {
        is_open.set(false);
        typed.set(None);
    };
    let choose = move |customer: Option<CustomerId>| {
        close();
        on_choose(customer);
        // The field may show what was typed although the choice is the same as before.
        if let Some(input) = input.get_untracked() {
            input.set_value(&chosen_name.get_untracked().unwrap_or_default());
        }
    };
    let open = move || {
        active.set(0);
        is_open.set(true);
    };
    let leave = move || {
        // The browser also says so when the field with the focus is taken out of the page, and its signals are gone.
        let Some((typed_text, was_open)) = typed.try_get_untracked().zip(is_open.try_get_untracked()) else { return };
        if !was_open && typed_text.is_none() {
            return;
        }
        match typed_text.as_deref().map(str::trim) {
            Some("") => choose(None),
            Some(text) => {
                let same = |name: &str| name.eq_ignore_ascii_case(text);
                let options = options.get_untracked();
                let mut exact = options.iter().filter(|option| same(&option.name));
                match (exact.next(), exact.next()) {
                    (Some(option), None) => choose(Some(option.id)),
                    _ => choose(chosen.get_untracked()),
                }
            }
            None => close(),
        }
    };
    let pressed = move |event: KeyboardEvent| {
        let last = options.with_untracked(Vec::len).saturating_sub(1);
        match (event.key().as_str(), is_open.get_untracked()) {
            ("ArrowDown" | "ArrowUp", false) => open(),
            ("ArrowDown", true) => active.update(|active| *active = (*active + 1).min(last)),
            ("ArrowUp", true) => active.update(|active| *active = active.saturating_sub(1)),
            ("Enter", true) => {
                let option =
                    options.with_untracked(|options| options.get(active.get_untracked()).map(|option| option.id));
                match (option, typed.get_untracked().as_deref()) {
                    (_, Some("")) => choose(None),
                    (Some(option), _) => choose(Some(option)),
                    (None, _) => {}
                }
            }
            ("Escape", true) => close(),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let typed_in = move |event| {
        typed.set(Some(event_target_value(&event)));
        open();
    };

    let is_wrong = Memo::new(move |_| error.get().is_some());
    let list_id = format!("{id}-list");
    let active_id = move || {
        let is_there = is_open.get() && options.with(|options| active.get() < options.len());
        is_there.then(|| format!("{id}-option-{}", active.get()))
    };
    view! {
        <div class="field combobox">
            <label for=id>{label}</label>
            <div class="combobox-box">
                <input id=id node_ref=input type="text" role="combobox" autocomplete="off" spellcheck="false"
                    placeholder=placeholder autofocus=takes_focus
                    aria-autocomplete="list" aria-controls=list_id.clone()
                    aria-expanded=move || if is_open.get() { "true" } else { "false" }
                    aria-activedescendant=active_id
                    aria-invalid=move || is_wrong.get().then_some("true")
                    aria-describedby=format!("{id}-error {id}-hint")
                    prop:value=text
                    on:input=typed_in
                    on:click=move |_| open()
                    on:keydown=pressed
                    on:blur=move |_| leave()/>
                <Icon name="down"/>
                <ul id=list_id role="listbox" aria-label=label class="options" class:open=move || is_open.get()>
                    {move || options.get().into_iter().enumerate().map(|(place, option)| view! {
                        <li id=format!("{id}-option-{place}") role="option"
                            aria-selected=move || if active.get() == place { "true" } else { "false" }
                            // The field must keep the focus, or it would close the list before the click.
                            on:mousedown=move |event| event.prevent_default()
                            on:click=move |_| choose(Some(option.id))>
                            <span>{option.name}</span><span class="muted">{option.left}</span>
                        </li>
                    }).collect_view()}
                    <Show when=move || is_open.get() && options.with(Vec::is_empty)>
                        <li class="no-options" role="option" aria-disabled="true" aria-selected="false">"No customer of that name"</li>
                    </Show>
                </ul>
            </div>
            <p class="field-error" id=format!("{id}-error")>{move || error.get()}</p>
            <p class="field-hint" id=format!("{id}-hint")>{move || hint.get()}</p>
        </div>
    }
}
