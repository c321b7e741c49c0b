//! The switch that ends a run early: after it, nothing more is sent. Calls in flight may still answer for a short while,
//! because an answer is worth more than an unknown outcome.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind};

/// How long to wait for answers in flight after an interrupt.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait for them after the deadline, which promises an end within a second.
const GRACE_AT_DEADLINE: Duration = Duration::from_millis(500);

/// Why a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Interrupt,
    Deadline,
}

#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Send nothing more.
    asked: CancellationToken,
    /// Wait for nothing more.
    given_up: CancellationToken,
    cause: Arc<OnceLock<Cause>>,
    interrupts: Arc<AtomicUsize>,
}

impl Stop {
    /// Stops the run; a second interrupt also stops waiting for answers.
    pub fn stop(&self, cause: Cause) {
        // Only the first cause is reported.
        let _ = self.cause.set(cause);
        self.asked.cancel();
        if cause == Cause::Interrupt && self.interrupts.fetch_add(1, Ordering::Relaxed) > 0 {
            self.given_up.cancel();
        }
    }

    pub fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    pub fn interrupted(&self) -> bool {
        self.interrupts.load(Ordering::Relaxed) > 0
    }

    /// The error of everything that is not tried any more.
    pub fn error(&self) -> Option<Error> {
        let (code, message) = match self.cause()? {
            Cause::Interrupt => ("Interrupted", "not tried: the run was interrupted"),
            Cause::Deadline => ("DeadlinePassed", "not tried: the run's deadline passed"),
        };
        Some(Error::new(Kind::Stopped, message).code(code))
    }

    /// Ends when nothing more may be sent.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Ends when the run no longer waits for answers in flight.
    pub async fn given_up(&self) {
        self.asked.cancelled().await;
        let grace = if self.cause() == Some(Cause::Deadline) { GRACE_AT_DEADLINE } else { GRACE };
        tokio::select! {
            () = self.given_up.cancelled() => {}
            () = tokio::time::sleep(grace) => {}
        }
    }

    /// Sleeps, unless the run is stopped first.
    pub async fn sleep(&self, time: Duration) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = self.asked.cancelled() => Err(self.error().expect("a cause is set before the token")),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}
