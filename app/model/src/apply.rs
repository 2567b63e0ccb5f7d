//! Documents and outcomes: what a frame or a read changes, and how the lists follow row by row.

use crate::{
    effect::Effect,
    filter::{Needle, OrderFilter, Sort},
    index::Key,
    model::Model,
    text::short_id,
    time::{Millis, Now, unix_us},
};
use tramline_contract::{Customer, CustomerId, Money, Order, OrderId, OrderState};

/// How long a decision tints its row.
pub const TINT_MS: Millis = 1_200;
/// How many rows are tinted at once. Bounded, for a burst of decisions.
const TINTS_AT_ONCE: usize = 200;
/// The pause before the feed's place is saved: many frames, one write.
const SAVE_PAUSE_MS: Millis = 1_000;

impl Model {
    /// Takes an order from a frame or a read.
    pub(crate) fn take_order(&mut self, order: Order, now: Now, effects: &mut Vec<Effect>) {
        let (id, state) = (order.id, order.state);
        let Some(replaced) = self.orders.take(order, now.ms) else { return };
        let was_on_its_way = self.pending.confirm(id.0, effects);
        let was_undecided = was_on_its_way || replaced.is_some_and(|before| !before.state.is_settled());
        if state.is_settled() {
            self.unsettled.remove(&id);
            if was_undecided {
                self.decided(id, state, now, effects);
            }
        } else {
            self.unsettled.insert(id);
        }
        self.settle_order_changes(id, now, effects);
        self.detail.found(id.0);
        self.place_order_row(id);
        self.save_feed_soon(now.ms);
    }

    /// Takes a customer from a frame or a read.
    pub(crate) fn take_customer(&mut self, customer: Customer, now: Now, effects: &mut Vec<Effect>) {
        let id = customer.id;
        if self.customers.take(customer, now.ms).is_none() {
            return;
        }
        self.pending.confirm(id.0, effects);
        self.settle_customer_changes(id, effects);
        self.detail.found(id.0);
        self.place_customer_row(id);
        self.save_feed_soon(now.ms);
    }

    /// The row of an order is new or has changed.
    pub(crate) fn place_order_row(&mut self, id: OrderId) {
        let key = self.order_key(id, &self.order_list.filter, &self.order_list.needle);
        self.order_list.index.place(id.0, key);
    }

    /// The row of a customer is new or has changed.
    pub(crate) fn place_customer_row(&mut self, id: CustomerId) {
        let key = self.customer_key(id);
        self.customer_list.index.place(id.0, key);
    }

    /// Sorts and filters all orders anew.
    pub(crate) fn rebuild_order_list(&mut self) {
        let list = &self.order_list;
        let confirmed = self.orders.iter().map(|order| order.id);
        let placed = self.pending.iter().filter_map(|operation| operation.command.placed());
        let pending = placed.map(|(id, ..)| id).filter(|id| self.orders.get(*id).is_none());
        let keys: Vec<_> =
            confirmed.chain(pending).filter_map(|id| self.order_key(id, &list.filter, &list.needle)).collect();
        self.order_list.index.rebuild(keys.into_iter());
    }

    /// Filters all customers anew.
    pub(crate) fn rebuild_customer_list(&mut self) {
        let confirmed = self.customers.iter().map(|customer| customer.id);
        let created = self.pending.iter().filter_map(|operation| operation.command.created());
        let pending = created.map(|(id, ..)| id).filter(|id| self.customers.get(*id).is_none());
        let keys: Vec<_> = confirmed.chain(pending).filter_map(|id| self.customer_key(id)).collect();
        self.customer_list.index.rebuild(keys.into_iter());
    }

    /// The place in the feed has moved; it is written down before long.
    pub(crate) fn save_feed_soon(&mut self, now_ms: Millis) {
        self.save_feed_at_ms.get_or_insert(now_ms + SAVE_PAUSE_MS);
    }

    fn decided(&mut self, id: OrderId, state: OrderState, now: Now, effects: &mut Vec<Effect>) {
        self.just_decided.push_back((id, now.ms + TINT_MS));
        if self.just_decided.len() > TINTS_AT_ONCE {
            self.just_decided.pop_front();
        }
        // Whoever cancels an order waits for another outcome than this one.
        if self.own.remove(&id).is_none() || self.pending.cancellation(id).is_some() {
            return;
        }
        let (words, is_bad) = match state {
            OrderState::Approved => (format!("Order {} approved.", short_id(id.0)), false),
            OrderState::Rejected => (format!("Order {} rejected.", short_id(id.0)), true),
            OrderState::Cancelled => (format!("Order {} cancelled.", short_id(id.0)), false),
            OrderState::Pending | OrderState::CancelPending | OrderState::RevisionPending => return,
        };
        if !self.is_on_screen(id) {
            self.announcer.toast(words.clone(), is_bad, now.ms);
        }
        // Bad news on its own is worth an interruption; in a crowd it is counted with the others.
        if is_bad && self.own.is_empty() && self.pending.iter().next().is_none() {
            effects.push(Effect::Alert(words));
        } else {
            self.announcer.outcome(state, words);
        }
    }

    fn order_key(&self, id: OrderId, filter: &OrderFilter, needle: &Needle) -> Option<Key> {
        let (customer, name, total, state, created_us) = if let Some(order) = self.orders.get(id) {
            let name = order.customer_name.as_deref();
            (order.customer_id, name, order.total, order.state, unix_us(&order.created_at).unwrap_or_default())
        } else {
            let operation = self.pending.order(id)?;
            let (_, customer_id, total) = operation.command.placed()?;
            (customer_id, None, total, OrderState::Pending, operation.submitted_ms as i64 * 1_000)
        };
        let passes = filter.state.is_none_or(|wanted| wanted == state)
            && filter.customer.is_none_or(|wanted| wanted == customer)
            && (needle.is_empty() || self.matches(needle, id, customer, name));
        passes.then(|| sort_key(filter.sort, id, total, created_us))
    }

    fn matches(&self, needle: &Needle, id: OrderId, customer: CustomerId, name: Option<&str>) -> bool {
        needle.begins(id.0) || name.or_else(|| self.customer_name(customer)).is_some_and(|name| needle.is_in(name))
    }

    fn customer_key(&self, id: CustomerId) -> Option<Key> {
        let created_us = match self.customers.get(id) {
            Some(customer) => unix_us(&customer.created_at).unwrap_or_default(),
            None => self.pending.customer(id)?.submitted_ms as i64 * 1_000,
        };
        let passes = self.customer_list.needle.is_in(self.customer_name(id)?);
        passes.then_some(Key { primary: -created_us, secondary: 0, id: id.0 })
    }
}

fn sort_key(sort: Sort, id: OrderId, total: Money, created_us: i64) -> Key {
    let (primary, secondary) = match sort {
        Sort::Newest => (-created_us, 0),
        Sort::Oldest => (created_us, 0),
        Sort::LargestTotal => (-total.minor(), -created_us),
        Sort::SmallestTotal => (total.minor(), -created_us),
    };
    Key { primary, secondary, id: id.0 }
}
