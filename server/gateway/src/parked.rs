//! What is parked, over all services: each is asked for its own, and whoever does not answer is named.
//!
//! [`fill`] and [`merge`] decide; they know no HTTP.

use futures_util::future::join_all;
use std::{cmp::Reverse, time::Duration};
use tramline_contract::{AuditEntry, AuditPage, Page, ParkedKey, ParkedKeys, ParkedKind, ParkedKinds, Problem};
use tramline_http::{ApiError, ServiceClient, TraceParent, problem};
use uuid::Uuid;

/// How long a service may take. An operator should rather see a part soon than everything late.
const DEADLINE: Duration = Duration::from_secs(2);

/// A parking lot: the service whose interface shows it, what it is called, and where it lies in that interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lot<'a> {
    pub(crate) name: &'a str,
    pub(crate) service: &'a ServiceClient,
    /// What begins its paths.
    pub(crate) at: &'static str,
}

/// Where the list of keys goes on: in the part of a service, after a place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    service: String,
    /// `None`: nothing of that service is left.
    after: Option<String>,
}

impl Place {
    /// Reads what [`fill`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (service, after) = text.split_once(':')?;
        let good = |after: &str| {
            let (group, key) = after.rsplit_once('.')?;
            (is_name(group) && Uuid::parse_str(key).is_ok()).then_some(())
        };
        let after = if after == END { None } else { Some(good(after).map(|()| after.to_owned())?) };
        Some(Self { service: service.to_owned(), after })
    }
}

/// Whether a text may be the name of a group, or of a service.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Asks one service after the other, since the list goes by services, until the page is full.
pub(crate) async fn keys(
    lots: &[Lot<'_>],
    group: Option<&str>,
    place: Option<Place>,
    limit: usize,
    trace: TraceParent,
) -> Result<ParkedKeys, ApiError> {
    let (mut begin, mut after) = (0, None);
    if let Some(place) = place {
        let found = lots.iter().position(|lot| lot.name == place.service);
        let number = found.ok_or_else(|| Problem::not_found("place in this list"))?;
        (begin, after) = if place.after.is_some() { (number, place.after) } else { (number + 1, None) };
    }
    let mut page = ParkedKeys { items: Vec::new(), next_cursor: None, complete: true, missing: Vec::new() };
    for lot in lots.iter().skip(begin) {
        let wanted = limit - page.items.len();
        let group = group.map(|group| format!("&group={group}")).unwrap_or_default();
        let after = after.take().map(|after| format!("&cursor={after}")).unwrap_or_default();
        let answer = ask(lot, &format!("/parked?limit={wanted}{group}{after}"), trace).await;
        if fill(&mut page, lot.name, answer, limit) {
            break;
        }
    }
    if page.missing.len() == lots.len() { Err(nobody(lots)) } else { Ok(page) }
}

/// Adds a service's part. `true`: the page is full.
fn fill(page: &mut ParkedKeys, service: &str, answer: Option<Page<ParkedKey>>, limit: usize) -> bool {
    let Some(Page { items, next_cursor }) = answer else {
        page.missing.push(service.to_owned());
        page.complete = false;
        return false;
    };
    page.items.extend(items);
    let full = page.items.len() >= limit || next_cursor.is_some();
    if full {
        page.next_cursor = Some(format!("{service}:{}", next_cursor.unwrap_or_else(|| END.to_owned())));
    }
    full
}

/// Says in a cursor that nothing of that service is left.
const END: &str = "end";

/// Asks every service at once what it has parked, by kind and reason.
pub(crate) async fn kinds(lots: &[Lot<'_>], trace: TraceParent) -> Result<ParkedKinds, ApiError> {
    let asked = lots.iter().map(|lot| ask::<Vec<ParkedKind>>(lot, "/parked/kinds", trace));
    let answers = join_all(asked).await;
    let missing = missing(lots, &answers)?;
    let items = answers.into_iter().flatten().flatten().collect();
    Ok(ParkedKinds { items, complete: missing.is_empty(), missing })
}

/// Asks every service at once what operators did, and puts it together, newest first.
pub(crate) async fn audit(
    lots: &[Lot<'_>],
    before: Option<Uuid>,
    limit: usize,
    trace: TraceParent,
) -> Result<AuditPage, ApiError> {
    let before = before.map(|id| format!("&cursor={id}")).unwrap_or_default();
    let path = format!("/audit?limit={limit}{before}");
    let answers = join_all(lots.iter().map(|lot| ask::<Page<AuditEntry>>(lot, &path, trace))).await;
    let missing = missing(lots, &answers)?;
    let (items, next_cursor) = merge(answers.into_iter().flatten().collect(), limit);
    Ok(AuditPage { items, next_cursor, complete: missing.is_empty(), missing })
}

/// The newest of all pages, and where the next page begins. Entries are ordered by their ids, which rise with time.
fn merge(pages: Vec<Page<AuditEntry>>, limit: usize) -> (Vec<AuditEntry>, Option<String>) {
    let more = pages.iter().any(|page| page.next_cursor.is_some());
    let mut items: Vec<_> = pages.into_iter().flat_map(|page| page.items).collect();
    items.sort_by_key(|entry| Reverse(entry.id));
    let more = more || items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    (items, next)
}

fn missing<T>(lots: &[Lot<'_>], answers: &[Option<T>]) -> Result<Vec<String>, ApiError> {
    let silent = lots.iter().zip(answers).filter(|(_, answer)| answer.is_none());
    let missing: Vec<_> = silent.map(|(lot, _)| lot.name.to_owned()).collect();
    if missing.len() == lots.len() { Err(nobody(lots)) } else { Ok(missing) }
}

fn nobody(lots: &[Lot<'_>]) -> ApiError {
    problem::service_unavailable(&lots.iter().map(|lot| lot.name).collect::<Vec<_>>()).into()
}

async fn ask<T: serde::de::DeserializeOwned>(lot: &Lot<'_>, path: &str, trace: TraceParent) -> Option<T> {
    let path = format!("{}{path}", lot.at);
    match lot.service.get(&path).within(DEADLINE).traced(Some(trace)).json().await {
        Ok(part) => Some(part),
        Err(error) => {
            tracing::warn!(lot = lot.name, %error, "a part of what is parked is missing");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(number: u128) -> ParkedKey {
        let first = json!({
            "id": Uuid::from_u128(number), "kind": "K", "source": "s", "channel": "c", "seq": 1, "reason": "r", "attempts": 1,
            "replays": 0, "firstFailedAt": "", "lastFailedAt": "",
        });
        let key = json!({"service": "s", "group": "g", "key": Uuid::from_u128(number), "waiting": 1, "first": first});
        serde_json::from_value(key).expect("a key")
    }

    fn entry(number: u128) -> AuditEntry {
        let id = Uuid::from_u128(number);
        let entry = json!({
            "id": id, "at": "", "operator": "ada", "action": "skip", "service": "s", "group": "g", "messageId": id, "key": id,
            "outcome": "o",
        });
        serde_json::from_value(entry).expect("an entry")
    }

    fn page() -> ParkedKeys {
        ParkedKeys { items: Vec::new(), next_cursor: None, complete: true, missing: Vec::new() }
    }

    #[test]
    fn a_page_goes_on_with_the_next_service_and_names_those_who_are_silent() {
        let mut all = page();
        assert!(!fill(&mut all, "one", Some(Page { items: vec![key(1)], next_cursor: None }), 3));
        assert!(!fill(&mut all, "two", None, 3));
        let inner = format!("g.{}", Uuid::from_u128(3).simple());
        let more = Page { items: vec![key(2), key(3)], next_cursor: Some(inner.clone()) };
        assert!(fill(&mut all, "three", Some(more), 3));
        assert_eq!((all.items.len(), all.complete, all.missing), (3, false, vec!["two".to_owned()]));
        let place = Place::parse(&all.next_cursor.expect("there is more")).expect("it reads");
        assert_eq!(place, Place { service: "three".to_owned(), after: Some(inner) });
    }

    #[test]
    fn a_full_page_that_ends_with_a_service_goes_on_behind_it() {
        let mut all = page();
        assert!(fill(&mut all, "one", Some(Page { items: vec![key(1)], next_cursor: None }), 1));
        let place = Place::parse(&all.next_cursor.expect("others may have some")).expect("it reads");
        assert_eq!(place, Place { service: "one".to_owned(), after: None });
        for bad in ["", "one", "one:x", "one:g.x", "one:g&limit=9.00000000000000000000000000000001"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_audit_of_all_services_is_one_list() {
        let pages = || {
            let first = Page { items: vec![entry(5), entry(2)], next_cursor: None };
            vec![first, Page { items: vec![entry(4), entry(3)], next_cursor: Some("3".to_owned()) }]
        };
        let ids = |items: &[AuditEntry]| items.iter().map(|entry| entry.id.as_u128()).collect::<Vec<_>>();
        let (items, next) = merge(pages(), 2);
        assert_eq!((ids(&items), next), (vec![5, 4], Some(Uuid::from_u128(4).to_string())));
        let (items, next) = merge(pages().into_iter().take(1).collect(), 2);
        assert_eq!((ids(&items), next), (vec![5, 2], None));
    }
}
