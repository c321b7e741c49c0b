//! Making one call: in its turn, counted, retried as long as that may help, and not at all once the run was stopped.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    pace::{LONGEST_PAUSE, Pace, Tries},
    stop::Stop,
};
use crate::error::{Error, Kind, Result};

/// `-vvv` says so if a call waited at least this long.
const WORTH_SAYING: Duration = Duration::from_millis(20);

/// What all calls of a run share.
#[derive(Clone)]
pub struct Calls {
    pub stop: Stop,
    attempts: usize,
    count: Arc<AtomicUsize>,
}

impl Calls {
    pub fn new(stop: Stop, attempts: usize, count: Arc<AtomicUsize>) -> Self {
        Self { stop, attempts: attempts.max(1), count }
    }

    /// The tries of a call that is asked for now.
    pub fn tries(&self, pace: &Pace) -> Tries {
        pace.tries(self.attempts)
    }

    /// Makes one try of a call, in its turn, unless `closed` says why it must not be sent any more.
    pub async fn once<T>(
        &self,
        pace: &Pace,
        tries: &Tries,
        closed: impl Fn() -> Option<Error>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let closed = || self.stop.error().or_else(&closed);
        let waiting = Instant::now();
        let turn = tokio::select! {
            biased;
            () = self.stop.asked() => return Err(closed().expect("the run was stopped")),
            turn = pace.turn(tries, closed) => turn?,
        };
        if waiting.elapsed() >= WORTH_SAYING {
            tracing::trace!("waited {:.1?} for the turn of a call", waiting.elapsed());
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = self.stop.given_up() => {
                Err(Error::new(Kind::Lost, "the run was stopped before the answer came").code("Interrupted"))
            }
        };
        match &answer {
            Err(error) if error.kind == Kind::Throttled => {
                let slower = pace.throttled(&turn, error);
                tracing::info!("throttled; {slower}: {error}");
            }
            Err(error) if error.kind.transient() => {}
            _ => pace.answered(&turn),
        }
        answer
    }

    /// Waits before the next try of a call, or returns the error if there is no further try. A throttled call does not count
    /// as a try: it waits for its turn again, as long as the service lets any call through.
    pub async fn pause(&self, pace: &Pace, tries: &mut Tries, error: &Error) -> Result<()> {
        if error.kind == Kind::Throttled {
            return if pace.hopeful() { Ok(()) } else { Err(error.clone()) };
        }
        let asked = error.retry_after.map(|pause| pause.min(LONGEST_PAUSE));
        let pause = tries.pause(asked).ok_or_else(|| error.clone())?;
        tracing::info!("{error}; retrying in {:.1} s", pause.as_secs_f32());
        self.stop.sleep(pause).await
    }

    /// Makes a call that changes nothing, and retries it as long as that may help.
    pub async fn ask<T, F>(
        &self,
        pace: &Pace,
        closed: impl Fn() -> Option<Error>,
        mut call: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut tries = self.tries(pace);
        loop {
            let error = match self.once(pace, &tries, &closed, call()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.kind.transient() {
                match self.pause(pace, &mut tries, &error).await {
                    Ok(()) => continue,
                    Err(last) if last.kind.not_tried() => return Err(last),
                    Err(_) => {}
                }
            }
            return Err(error);
        }
    }
}
