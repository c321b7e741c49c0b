//! Progress on stderr: one moving line in a terminal, and a plain line every few seconds in a log. Short runs show none.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Time between two plain lines.
const PLAIN: Duration = Duration::from_secs(10);

pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
    wanted: bool,
    /// Hidden: a question has the terminal, or the run ended.
    away: AtomicBool,
    /// Items that have ended, printed or not, and their expected number.
    ended: AtomicUsize,
    expected: AtomicUsize,
    /// The current step, and when it began.
    doing: Mutex<(&'static str, Instant)>,
}

/// The progress of a run.
struct State {
    /// The current step, and how long it has taken.
    doing: &'static str,
    since: Duration,
    /// Items that have ended, and their expected number, if known.
    done: usize,
    expected: Option<usize>,
    calls: usize,
    elapsed: Duration,
}

impl Progress {
    pub fn new(wanted: bool, terminal: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("this template is well-formed");
        bar.set_style(style);
        Self {
            bar,
            terminal,
            wanted,
            away: AtomicBool::new(false),
            ended: AtomicUsize::new(0),
            expected: AtomicUsize::new(0),
            doing: Mutex::new(("", Instant::now())),
        }
    }

    /// Begins another step, with its number of items, if known.
    pub fn doing(&self, what: &'static str, items: Option<usize>) {
        self.ended.store(0, Ordering::Relaxed);
        self.expect(items.unwrap_or(0));
        *self.doing.lock().expect("no holder of this lock panics") = (what, Instant::now());
    }

    /// Sets the expected number of items.
    pub fn expect(&self, items: usize) {
        self.expected.store(items, Ordering::Relaxed);
    }

    /// Counts items that have ended.
    pub fn seen(&self, items: usize) {
        self.ended.fetch_add(items, Ordering::Relaxed);
    }

    /// Shows the progress, if it is time. `tick` is the time since the last call.
    pub fn show(&self, calls: usize, elapsed: Duration, tick: Duration) {
        let expected = self.expected.load(Ordering::Relaxed);
        let done = self.ended.load(Ordering::Relaxed);
        let (doing, since) = *self.doing.lock().expect("no holder of this lock panics");
        let state = &State {
            doing,
            since: since.elapsed(),
            done,
            expected: (expected > 0).then_some(expected),
            calls,
            elapsed,
        };
        if !self.wanted || self.away.load(Ordering::Relaxed) || state.elapsed < PATIENCE {
            return;
        }
        if self.terminal {
            if self.bar.is_hidden() {
                self.bar.reset();
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            self.bar.set_message(text(state));
            self.bar.tick();
        } else if state.elapsed.as_secs() / PLAIN.as_secs()
            != state.elapsed.saturating_sub(tick).as_secs() / PLAIN.as_secs()
        {
            super::aside(&text(state));
        }
    }

    /// Hides the moving line while something else is printed.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Hides progress: for a question, or at the end.
    pub fn end(&self) {
        self.away.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Shows progress again after a question.
    pub fn again(&self) {
        self.away.store(false, Ordering::Relaxed);
    }
}

fn text(state: &State) -> String {
    let images = match (state.done, state.expected) {
        (done, Some(expected)) => format!("{done} of {expected} images"),
        (0, None) => "looking".into(),
        (done, None) => format!("{done} images"),
    };
    let doing = match (state.doing, state.done, state.expected) {
        ("", ..) => images,
        (doing, 0, None) => doing.to_owned(),
        (doing, ..) => format!("{doing}: {images}"),
    };
    let left = left(state).map(|left| format!(", about {} s left", left.as_secs().max(1))).unwrap_or_default();
    format!("{doing} · {} calls · {} s{left}", state.calls, state.elapsed.as_secs())
}

/// The estimated time left, once enough items have ended to tell.
fn left(state: &State) -> Option<Duration> {
    let expected = state.expected?;
    if state.done == 0 || state.done >= expected || state.since < Duration::from_secs(2) {
        return None;
    }
    let each = state.since.div_f64(state.done as f64);
    Some(each.mul_f64((expected - state.done) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_how_far_it_is() {
        let state = |done, expected| State {
            doing: "",
            since: Duration::from_secs(1),
            done,
            expected,
            calls: 3,
            elapsed: Duration::from_millis(4700),
        };
        assert_eq!(text(&state(0, None)), "looking · 3 calls · 4 s");
        assert_eq!(text(&state(7, None)), "7 images · 3 calls · 4 s");
        assert_eq!(text(&state(7, Some(10))), "7 of 10 images · 3 calls · 4 s");
        let deleting = |state| State { doing: "deleting", since: Duration::from_secs(4), ..state };
        assert_eq!(text(&deleting(state(0, None))), "deleting · 3 calls · 4 s");
        assert_eq!(text(&deleting(state(2, Some(10)))), "deleting: 2 of 10 images · 3 calls · 4 s, about 16 s left");
    }
}
