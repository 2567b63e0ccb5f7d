//! Sagas as tables for a terminal.

use crate::terminal::{clean, cut, table};
use serde::Serialize;
use tramline_contract::{Page, Saga, SagaDetail, SagaMessage, SagaStep};

pub(super) fn page(page: &Page<Saga>) {
    if page.items.is_empty() && page.next_cursor.is_none() {
        println!("There is none.");
    }
    sagas(&page.items);
    if let Some(cursor) = &page.next_cursor {
        println!("There is more: --cursor {cursor}");
    }
}

pub(super) fn sagas(sagas: &[Saga]) {
    let row = |saga: &Saga| {
        let ended = saga.ended_at.as_ref().map_or_else(|| asked_again(saga), |at| at.0.clone());
        let (id, of) = (saga.id.to_string(), saga.aggregate_id.to_string());
        vec![id, clean(&saga.kind), name(saga.state), of, saga.started_at.0.clone(), ended]
    };
    table(&["saga", "type", "state", "of", "started", "ended"], sagas.iter().map(row).collect());
}

pub(super) fn detail(found: &SagaDetail) {
    let saga = &found.saga;
    println!("saga      {}", saga.id);
    println!("type      {}, of {}", clean(&saga.kind), saga.aggregate_id);
    println!("state     {}, version {}", name(saga.state), saga.version);
    println!("started   {}", saga.started_at.0);
    match &saga.ended_at {
        Some(ended) => println!("ended     {}", ended.0),
        None => println!("ended     not yet {}", asked_again(saga)),
    }
    println!();
    let step = |step: &SagaStep| vec![clean(&step.name), name(step.category), clean(&step.state)];
    table(&["step", "category", "state"], found.steps.iter().map(step).collect());
    println!();
    let row = |message: &SagaMessage| {
        let kind = message.headers["type"].as_str().unwrap_or_default();
        let body = message.payload.to_string();
        vec![message.at.0.clone(), clean(&message.kind), clean(&message.channel), clean(kind), cut(&body)]
    };
    table(&["at", "message", "channel", "type", "body"], found.messages.iter().map(row).collect());
}

/// How often a command went out again because no answer came; empty when none did.
fn asked_again(saga: &Saga) -> String {
    match (&saga.due_at, saga.resent) {
        (Some(due), resent) if resent > 0 => format!("(asked again {resent} times, next at {})", due.0),
        _ => String::new(),
    }
}

/// The name on the wire of what has one.
fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
