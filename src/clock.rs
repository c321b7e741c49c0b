//! What the headers of an answer say of time: how long to wait, and how wrong this machine's clock is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

/// Clocks that differ by less are taken for equal: a `Date` has whole seconds, and an answer takes time.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// How far this machine's clock is ahead of a service's, as the service's last answer showed.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Notes the `Date` of an answer that has just come.
    pub fn note(&self, date: Option<&str>) {
        if let Some(ahead) = date.and_then(|date| clock_ahead(date, Utc::now())) {
            self.0.store(ahead.num_milliseconds(), Ordering::Relaxed);
        }
    }

    /// How far this machine's clock is ahead, if that is more than a minute.
    pub fn ahead(&self) -> Option<TimeDelta> {
        let ahead = TimeDelta::milliseconds(self.0.load(Ordering::Relaxed));
        (ahead > TOLERANCE).then_some(ahead)
    }
}

/// How far this machine's clock is off, in words.
pub fn offset(ahead: TimeDelta) -> String {
    let span = span(ahead);
    if ahead < TimeDelta::zero() { format!("{span} behind") } else { format!("{span} ahead") }
}

/// A time without its sign, in whole days or in seconds.
pub fn span(time: TimeDelta) -> String {
    if time.num_days().abs() > 1 {
        return format!("{} days", time.num_days().abs());
    }
    humantime::format_duration(Duration::from_secs(time.num_seconds().unsigned_abs())).to_string()
}

/// Reads the value of `Retry-After`: seconds, or a date.
/// <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (date(text)? - now).to_std().ok(),
    }
}

/// How far a clock that shows `now` is ahead of a server's `Date`.
pub fn clock_ahead(text: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    Some(now - date(text)?)
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_given_in_seconds_or_as_a_date() {
        let now = "2026-11-21T01:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("Sat, 21 Nov 2026 01:00:30 GMT", Some(30)),
            ("Sat, 21 Nov 2026 00:00:00 GMT", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_clock_is_ahead_by_more_than_a_minute_or_not_at_all() {
        let date = |ahead: TimeDelta| (Utc::now() - ahead).to_rfc2822();
        for (ahead, told) in [(2, true), (0, false), (-30, false), (60 * 24 * 400, true)] {
            let clock = Clock::default();
            clock.note(Some(&date(TimeDelta::minutes(ahead))));
            assert_eq!(clock.ahead().is_some(), told, "{ahead}");
            // An answer without a date, or with another text in it, changes nothing.
            clock.note(None);
            clock.note(Some("soon"));
            assert_eq!(clock.ahead().is_some(), told, "{ahead}");
        }
    }
}
