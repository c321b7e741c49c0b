//! One opened store during one run: its pace, the switch that stops the run, and the error that stopped the store. Every
//! call to a provider goes through [`Session::once`].

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use super::{
    calls::Calls,
    pace::{Line, Op, Tries},
    stop::Stop,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Fact, ImageStore, Limit},
};

pub struct Session {
    pub store: Arc<dyn ImageStore>,
    pub stop: Stop,
    /// Whether the store is in `imgctl sandbox`, where somebody works with one.
    pub sandbox: Option<bool>,
    line: Arc<Line>,
    calls: Calls,
    halted: OnceLock<Error>,
}

impl Session {
    pub fn new(store: Arc<dyn ImageStore>, line: Arc<Line>, calls: Calls) -> Self {
        Self { store, stop: calls.stop.clone(), sandbox: None, line, calls, halted: OnceLock::new() }
    }

    /// Notes whether the store is in `imgctl sandbox`.
    pub fn marked(self, sandbox: Option<bool>) -> Self {
        Self { sandbox, ..self }
    }

    /// The same store and pace, for calls whose failure must not stop this session.
    pub fn aside(&self) -> Self {
        let (store, line) = (Arc::clone(&self.store), Arc::clone(&self.line));
        Self::new(store, line, self.calls.clone()).marked(self.sandbox)
    }

    /// Those of some facts about images that this store tells. Where a listing may have names alone, that may take a call.
    pub async fn told(&self, facts: &[Fact]) -> Result<Vec<Fact>> {
        let mut told = Vec::new();
        for fact in facts {
            let tells = || self.store.tells(*fact);
            if if self.store.lists_names() { self.ask(Op::List, tells).await } else { tells().await }? {
                told.push(*fact);
            }
        }
        Ok(told)
    }

    pub fn limit(&self, op: Op) -> Limit {
        self.line.limit(op)
    }

    /// What stopped this store, if anything did.
    pub fn halted(&self) -> Option<&Error> {
        self.halted.get()
    }

    /// Stops the store if an error means that further calls are pointless or dangerous.
    pub fn halt_on(&self, error: &Error) {
        if error.kind.stops_store() {
            // Keep only the first cause: the later ones follow from it.
            let _ = self.halted.set(error.clone());
        }
    }

    /// Why such a call must not be sent any more, if the store was stopped. After an unreadable answer nothing more is
    /// deleted, but looking is harmless and settles the outcome of what was sent.
    fn closed(&self, op: Op) -> Option<Error> {
        let cause = self.halted.get()?;
        let harmless = cause.kind.lets_look() && !op.changes();
        let message = || format!("not tried: the store was stopped ({cause})");
        (!harmless).then(|| Error::new(Kind::StoreStopped, message()))
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// The tries of a call that is asked for now.
    pub(super) fn tries(&self, op: Op) -> Tries {
        self.calls.tries(self.line.of(op))
    }

    /// Makes one try of a call, in its turn, unless the run or the store is stopped.
    pub(super) async fn once<T>(&self, op: Op, tries: &Tries, call: impl Future<Output = Result<T>>) -> Result<T> {
        let answer = self.calls.once(self.line.of(op), tries, || self.closed(op), call).await;
        answer.map_err(|error| self.store.home().blaming_region(error))
    }

    /// Waits before the next try of a call, or returns the error if there is no further try.
    pub(super) async fn pause(&self, op: Op, tries: &mut Tries, error: &Error) -> Result<()> {
        self.calls.pause(self.line.of(op), tries, error).await
    }

    /// Makes a call that changes nothing, and retries it as long as that may help.
    pub async fn ask<T, F>(&self, op: Op, call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let asked = self.calls.ask(self.line.of(op), || self.closed(op), call).await;
        asked.map_err(|error| self.store.home().blaming_region(error)).inspect_err(|error| self.halt_on(error))
    }
}
