//! One opened store during one run: its pace, the switch that stops the run, and the error that stopped the store. Every
//! call to a provider goes through [`Session::once`].

use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    pace::{LONGEST_PAUSE, Line, Op, Pauses},
    stop::Stop,
};
use crate::{
    error::{Error, Kind, Result},
    store::{ImageStore, Limit},
};

pub struct Session {
    pub store: Arc<dyn ImageStore>,
    pub stop: Stop,
    line: Arc<Line>,
    attempts: usize,
    calls: Arc<AtomicUsize>,
    halted: OnceLock<Error>,
}

impl Session {
    pub fn new(
        store: Arc<dyn ImageStore>,
        line: Arc<Line>,
        stop: Stop,
        attempts: usize,
        calls: Arc<AtomicUsize>,
    ) -> Self {
        Self { store, stop, line, attempts: attempts.max(1), calls, halted: OnceLock::new() }
    }

    /// The same store and pace, for calls whose failure must not stop this session.
    pub fn aside(&self) -> Self {
        let (store, line) = (Arc::clone(&self.store), Arc::clone(&self.line));
        Self::new(store, line, self.stop.clone(), self.attempts, Arc::clone(&self.calls))
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

    /// Why such a call must not be sent any more, if so.
    fn closed(&self, op: Op) -> Option<Error> {
        let halted = || {
            let cause = self.halted.get()?;
            let harmless = cause.kind.lets_look() && !op.changes();
            let message = || format!("not tried: the store was stopped ({cause})");
            (!harmless).then(|| Error::new(Kind::StoreStopped, message()))
        };
        self.stop.error().or_else(halted)
    }

    pub(super) fn pauses(&self) -> Pauses {
        Pauses::new(self.attempts)
    }

    /// Makes one call once, in its turn, unless the run or the store is stopped.
    pub(super) async fn once<T>(&self, op: Op, call: impl Future<Output = Result<T>>) -> Result<T> {
        let pace = self.line.of(op);
        let turn = async {
            let slot = pace.slot().await;
            match self.closed(op) {
                Some(closed) => Err(closed),
                None => pace.turn(slot).await,
            }
        };
        let turn = tokio::select! {
            biased;
            () = self.stop.asked() => return Err(self.closed(op).expect("the run was stopped")),
            turn = turn => turn?,
        };
        if let Some(closed) = self.closed(op) {
            return Err(closed);
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = self.stop.given_up() => {
                Err(Error::new(Kind::Lost, "the run was stopped before the answer came").code("Interrupted"))
            }
        };
        match &answer {
            Err(error) if error.kind == Kind::Throttled => pace.throttled(&turn, error),
            Err(error) if error.kind.transient() => {}
            _ => pace.answered(&turn),
        }
        answer
    }

    /// Waits before the next try of a call, or returns the error if there is no further try. A throttled call does not count
    /// as a try: it waits for its turn again, as long as the service lets any call through.
    pub(super) async fn pause(&self, op: Op, pauses: &mut Pauses, error: &Error) -> Result<()> {
        if error.kind == Kind::Throttled {
            tracing::info!("{error}; waiting before the next call");
            return if self.line.of(op).hopeful() { Ok(()) } else { Err(error.clone()) };
        }
        let asked = error.retry_after.map(|pause| pause.min(LONGEST_PAUSE));
        let pause = pauses.next(asked).ok_or_else(|| error.clone())?;
        tracing::info!("{error}; retrying in {pause:.1?}");
        self.stop.sleep(pause).await
    }

    /// Makes a call that changes nothing, and retries it as long as that may help.
    pub async fn ask<T, F>(&self, op: Op, mut call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut pauses = self.pauses();
        loop {
            let error = match self.once(op, call()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.kind.transient() {
                match self.pause(op, &mut pauses, &error).await {
                    Ok(()) => continue,
                    Err(last) if last.kind.not_tried() => return Err(last),
                    Err(_) => {}
                }
            }
            self.halt_on(&error);
            return Err(error);
        }
    }
}
