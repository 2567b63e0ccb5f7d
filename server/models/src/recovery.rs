//! Whether everything can still come to its end from every state that faults can lead to.
//!
//! A liveness property under fairness, as `AG EF` of the steps that are no faults: a state from which no number of them leads to
//! the end is where something waits for ever.

use stateright::Model;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
};

/// A model that says what a fault is, and where everything should end.
pub trait Recovers: Model {
    /// Whether the action is a fault: it may happen, but nobody may wait for it.
    fn is_fault(&self, action: &Self::Action) -> bool;

    /// Whether everything has come to its end.
    fn is_done(&self, state: &Self::State) -> bool;
}

/// What a search has found.
#[derive(Debug)]
pub struct Searched<A> {
    /// States that can be reached.
    pub states: usize,
    /// A shortest way into a state without a way out.
    pub stuck: Option<Vec<A>>,
}

/// Looks at every state that the model can reach.
pub fn search<M>(model: &M) -> Searched<M::Action>
where
    M: Recovers,
    M::State: Clone + Eq + Hash,
    M::Action: Clone,
{
    let mut states: Vec<M::State> = Vec::new();
    let mut places: HashMap<M::State, usize> = HashMap::new();
    let mut came_from: Vec<Option<(usize, M::Action)>> = Vec::new();
    // Who leads here without a fault.
    let mut before: Vec<Vec<usize>> = Vec::new();
    let mut queue: VecDeque<usize> = VecDeque::new();
    for state in model.init_states() {
        places.insert(state.clone(), states.len());
        queue.push_back(states.len());
        states.push(state);
        came_from.push(None);
        before.push(Vec::new());
    }
    while let Some(place) = queue.pop_front() {
        let state = states[place].clone();
        for (action, next) in model.next_steps(&state) {
            let is_fault = model.is_fault(&action);
            let there = *places.entry(next.clone()).or_insert_with(|| {
                queue.push_back(states.len());
                states.push(next);
                came_from.push(Some((place, action)));
                before.push(Vec::new());
                states.len() - 1
            });
            if !is_fault {
                before[there].push(place);
            }
        }
    }
    let done = (0..states.len()).filter(|place| model.is_done(&states[*place]));
    let mut saved: HashSet<usize> = done.collect();
    let mut spreading: Vec<usize> = saved.iter().copied().collect();
    while let Some(place) = spreading.pop() {
        spreading.extend(before[place].iter().copied().filter(|earlier| saved.insert(*earlier)));
    }
    // States are numbered by their distance, so the first that is lost has the shortest way.
    let stuck = (0..states.len()).find(|place| !saved.contains(place)).map(|place| way(&came_from, place));
    Searched { states: states.len(), stuck }
}

fn way<A: Clone>(came_from: &[Option<(usize, A)>], mut place: usize) -> Vec<A> {
    let mut way = Vec::new();
    while let Some((earlier, action)) = &came_from[place] {
        way.push(action.clone());
        place = *earlier;
    }
    way.reverse();
    way
}
