//! Calls that wait for their turn, in the order in which they were asked for. A call that was throttled is older than
//! those that wait, so it goes next: nothing that needs its answer waits for them.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Notify;

/// The place of a call, for all its tries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

pub(super) struct Queue {
    /// Calls that may be in flight at once.
    most: usize,
    in_flight: usize,
    asked: u64,
    waiting: BTreeMap<Place, Arc<Notify>>,
}

impl Queue {
    pub fn new(most: usize) -> Self {
        Self { most, in_flight: 0, asked: 0, waiting: BTreeMap::new() }
    }

    /// A place behind all others.
    pub fn place(&mut self) -> Place {
        self.asked += 1;
        Place(self.asked)
    }

    /// Waits at a place. What is returned wakes it when that may be the first.
    pub fn wait(&mut self, place: Place) -> Arc<Notify> {
        Arc::clone(self.waiting.entry(place).or_default())
    }

    /// Whether the call at this place is the next to go out, and may.
    pub fn is_next(&self, place: Place) -> bool {
        self.in_flight < self.most && self.waiting.first_key_value().is_some_and(|(first, _)| *first == place)
    }

    /// The call at this place went out, or does not wait any more.
    pub fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
        self.wake();
    }

    pub fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// A call that went out has ended.
    pub fn ended(&mut self) {
        self.in_flight -= 1;
        self.wake();
    }

    fn wake(&self) {
        if let Some((_, first)) = self.waiting.first_key_value() {
            first.notify_one();
        }
    }
}
