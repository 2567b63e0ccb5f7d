//! A table that draws only the rows in sight, however many there are, and keeps the focused row in the page.
//!
//! It knows ids and places; what a row looks like is given to it. All rows are equally high, measured from the first one.

use super::keyboard;
use crate::{browser::document, desk::Desk};
use leptos::{ev, html, prelude::*};
use std::ops::Range;
use tramline_model::{
    Model, Msg,
    index::{Index, Window},
};
use uuid::Uuid;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{Element, HtmlElement, KeyboardEvent, ResizeObserver};

/// Rows drawn beyond each edge, so that scrolling meets no blank.
const OVERSCAN_ROWS: usize = 8;
/// Rows drawn at most, the focused one aside, however high the window is.
const ROWS_DRAWN: usize = 56;
/// The height of a row until one has been measured.
const ROW_HEIGHT_PX: i32 = 37;

/// What a table needs to know of its list.
#[derive(Clone, Copy)]
pub struct Rows {
    /// The table's name for screen readers.
    pub label: &'static str,
    /// Names the scroll position that is remembered.
    pub name: &'static str,
    /// The list's rows.
    pub index: fn(&Model) -> &Index,
    /// What to tell when other rows come into sight.
    pub moved: fn(Window) -> Msg,
    /// Draws the heads of the columns: one `<tr>`.
    pub head: fn() -> AnyView,
    /// Draws a row: one `<tr>` with `data-row` and the row's number.
    pub row: fn(Uuid, Signal<usize>) -> AnyView,
}

/// A line of what is drawn between the first gap and the last.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Line {
    Row(Uuid),
    /// Parts the rows in sight from a focused row that is out of sight.
    Gap,
}

/// What is drawn, and how many rows the gaps stand for.
#[derive(Clone, PartialEq, Default)]
struct Layout {
    lines: Vec<Line>,
    above: usize,
    between: usize,
    below: usize,
}

/// Where the table is scrolled to, in pixels.
#[derive(Clone, Copy, PartialEq)]
struct Scroll {
    top: i32,
    height: i32,
    head: i32,
    row: i32,
}

impl Scroll {
    fn in_sight(self) -> Range<usize> {
        let first = (self.top / self.row).max(0) as usize;
        let rows = ((self.height - self.head).max(0) / self.row) as usize + 1;
        first..first + rows
    }

    /// Where to scroll to so that a row is in sight.
    fn top_for(self, place: usize) -> i32 {
        let row_top = place as i32 * self.row;
        let lowest = row_top + self.row + self.head - self.height;
        self.top.clamp(lowest.min(row_top), row_top)
    }
}

/// The table.
#[component]
pub fn RowsView(rows: Rows) -> impl IntoView {
    let desk = Desk::here();
    let container = NodeRef::<html::Div>::new();
    let scroll = RwSignal::new(Scroll { top: desk.scroll_of(rows.name), height: 800, head: 0, row: ROW_HEIGHT_PX });
    let focused = desk.focused_row;
    focused.set(None);

    let total = desk.watch(move |model| (rows.index)(model).len());
    let in_sight = Memo::new(move |_| scroll.get().in_sight());
    let layout = desk.watch(move |model| layout((rows.index)(model), in_sight.get(), focused.get()));
    let drawn = Memo::new(move |_| layout.with(|layout| layout.lines.clone()));
    // Drawing other rows may move the focused one within the page, and the browser takes the focus from what is moved.
    Effect::new(move |_| {
        drawn.track();
        if let Some(id) = focused.get_untracked() {
            request_animation_frame(move || document::keep_focus(&link_of(id)));
        }
    });
    let above = Memo::new(move |_| layout.with(|layout| layout.above));
    let between = Memo::new(move |_| layout.with(|layout| layout.between));
    let below = Memo::new(move |_| layout.with(|layout| layout.below));
    let row_height = Memo::new(move |_| scroll.with(|scroll| scroll.row));

    let measure = move || {
        // Called back later, when the table may be gone.
        let Some(element) = container.try_get_untracked().flatten() else { return };
        let height_of = |selector: &str| {
            let part = element.query_selector(selector).ok().flatten()?.dyn_into::<HtmlElement>().ok()?;
            Some(part.offset_height()).filter(|height| *height > 0)
        };
        let measured = Scroll {
            top: element.scroll_top(),
            height: element.client_height(),
            head: height_of("thead").filter(|height| *height > 1).unwrap_or_default(),
            row: height_of("tr[data-row]").unwrap_or(scroll.get_untracked().row),
        };
        if measured != scroll.get_untracked() {
            scroll.set(measured);
        }
    };
    observe_size(container, measure);
    let has_rows = Memo::new(move |_| total.get() > 0);
    Effect::new(move |_| {
        if has_rows.get() {
            request_animation_frame(measure);
        }
    });

    let window = Memo::new(move |_| {
        let in_sight = in_sight.get();
        Window { first: in_sight.start, end: in_sight.end, held: scroll.get().top > 0 }
    });
    Effect::new(move |_| desk.tell((rows.moved)(window.get())));

    let set_top = move |top: i32| {
        if scroll.with_untracked(|scroll| scroll.top != top) {
            scroll.update(|scroll| scroll.top = top);
        }
    };
    // Setting a scroll position makes the browser lay out the page there and then. In the next frame it does so anyway.
    let scroll_soon = move |top: i32| {
        request_animation_frame(move || {
            if let Some(element) = container.try_get_untracked().flatten() {
                element.set_scroll_top(top);
                set_top(element.scroll_top());
            }
        });
    };
    let scroll_to = move |top: i32| {
        if scroll.with_untracked(|scroll| scroll.top != top) {
            set_top(top);
            scroll_soon(top);
        }
    };
    let remembered = desk.scroll_of(rows.name);
    Effect::new(move |before: Option<u32>| {
        let count = desk.scroll_to_top.get();
        match before {
            None => scroll_soon(remembered),
            Some(before) if before != count => scroll_to(0),
            Some(_) => {}
        }
        count
    });
    let scrolled = move |_| {
        if let Some(element) = container.get_untracked() {
            let top = element.scroll_top();
            desk.remember_scroll(rows.name, top);
            set_top(top);
        }
    };

    let step = move |event: KeyboardEvent| {
        let Some(step) = step_of(&event, desk, container) else { return };
        let place = focused.get_untracked().and_then(|id| desk.read(|model| (rows.index)(model).position(id)));
        let first = in_sight.get_untracked().start;
        let place = place.map_or(first, |place| place.saturating_add_signed(step));
        let place = place.min(total.get_untracked().saturating_sub(1));
        if let Some(id) = desk.read(|model| (rows.index)(model).get(place)) {
            event.prevent_default();
            scroll_to(scroll.get_untracked().top_for(place));
            focused.set(Some(id));
            // At once, so that the next key finds it; a row that is not drawn yet follows with the next frame.
            if !document::focus_now(&link_of(id)) {
                document::focus_soon(link_of(id));
            }
        }
    };
    let keys = window_event_listener(ev::keydown, step);
    // A press beside the rows takes the focus away for good.
    let presses = window_event_listener(ev::pointerdown, move |event| {
        if row_of(event.target()).is_none() {
            let _ = focused.try_set(None);
        }
    });
    on_cleanup(move || {
        focused.set(None);
        keys.remove();
        presses.remove();
    });

    view! {
        <div class="rows" node_ref=container tabindex="0" role="region" aria-label=rows.label on:scroll=scrolled
            on:focusin=move |event| { let _ = focused.try_set(row_of(event.target())); }
            on:focusout=move |event| {
                if row_of(event.related_target()).is_none() && event.related_target().is_some() {
                    let _ = focused.try_set(None);
                }
            }>
            <table role="table" aria-label=rows.label aria-rowcount=move || total.get() + 1>
                <thead role="rowgroup">{(rows.head)()}</thead>
                <tbody role="rowgroup">
                    <Gap rows=above row_height/>
                    <For each=move || drawn.get() key=|line| *line let:line>
                        {match line {
                            Line::Row(id) => {
                                let number = desk.watch(move |model| (rows.index)(model).position(id).map_or(0, |place| place + 2));
                                (rows.row)(id, number.into())
                            }
                            Line::Gap => view! { <Gap rows=between row_height/> }.into_any(),
                        }}
                    </For>
                    <Gap rows=below row_height/>
                </tbody>
            </table>
        </div>
    }
}

/// Stands for rows that are not drawn.
#[component]
fn Gap(rows: Memo<usize>, row_height: Memo<i32>) -> impl IntoView {
    let height = move || format!("{}px", rows.get() as i64 * i64::from(row_height.get()));
    view! { <tr class="gap" aria-hidden="true"><td style:height=height></td></tr> }
}

fn layout(index: &Index, in_sight: Range<usize>, focused: Option<Uuid>) -> Layout {
    let total = index.len();
    let first = in_sight.start.min(total).saturating_sub(OVERSCAN_ROWS);
    let end = (in_sight.end + OVERSCAN_ROWS).min(first + ROWS_DRAWN).min(total);
    let rows = index.range(first, end).map(Line::Row);
    let away =
        focused.and_then(|id| Some((id, index.position(id)?))).filter(|(_, place)| !(first..end).contains(place));
    match away {
        Some((id, place)) if place < first => Layout {
            lines: [Line::Row(id), Line::Gap].into_iter().chain(rows).collect(),
            above: place,
            between: first - place - 1,
            below: total - end,
        },
        Some((id, place)) => Layout {
            lines: rows.chain([Line::Gap, Line::Row(id)]).collect(),
            above: first,
            between: place - end,
            below: total - place - 1,
        },
        None => Layout { lines: rows.collect(), above: first, between: 0, below: total - end },
    }
}

/// Which way a key moves the focus: letters from anywhere, arrows only within the table or from nowhere.
fn step_of(event: &KeyboardEvent, desk: Desk, container: NodeRef<html::Div>) -> Option<isize> {
    let is_here = || match document::focused() {
        Some(focused) => container.get_untracked().is_some_and(|container| container.contains(Some(&focused))),
        None => true,
    };
    match event.key().as_str() {
        "j" if keyboard::is_shortcut(event, desk) => Some(1),
        "k" if keyboard::is_shortcut(event, desk) => Some(-1),
        "ArrowDown" if !document::has_open_dialog() && is_here() => Some(1),
        "ArrowUp" if !document::has_open_dialog() && is_here() => Some(-1),
        _ => None,
    }
}

fn link_of(id: Uuid) -> String {
    format!("[data-row=\"{id}\"] a")
}

fn row_of(target: Option<web_sys::EventTarget>) -> Option<Uuid> {
    let element: Element = target?.dyn_into().ok()?;
    element.closest("tr[data-row]").ok()??.get_attribute("data-row")?.parse().ok()
}

/// Measures whenever the container changes its size, for as long as it is in the page.
fn observe_size(container: NodeRef<html::Div>, measure: impl Fn() + Copy + 'static) {
    let observed = StoredValue::new_local(None::<(ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let Some(element) = container.get() else { return };
        let callback = Closure::<dyn FnMut()>::new(measure);
        if let Ok(observer) = ResizeObserver::new(callback.as_ref().unchecked_ref()) {
            observer.observe(&element);
            observed.set_value(Some((observer, callback)));
        }
    });
    on_cleanup(move || {
        if let Some(Some((observer, _))) = observed.try_update_value(Option::take) {
            observer.disconnect();
        }
    });
}
