//! What one test call tells about the credentials, the endpoint and this machine's clock.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Checkup, State, Subject};
use crate::{
    clock::{self, clock_ahead, offset, span},
    error::{Error, Kind, Result},
    http::Response,
};

/// Any answer: it proves that the endpoint works, and shows the time of the service.
pub struct Heard {
    /// The answer's `Date`.
    pub date: Option<String>,
    pub at: DateTime<Utc>,
    pub took: Duration,
}

impl Heard {
    /// Of an answer that came just now; `None` if there was none.
    pub fn of(answer: &Result<Response>, asked: Instant) -> Option<Self> {
        let date = answer.as_ref().ok()?.header("date").map(Into::into);
        Some(Self { date, at: Utc::now(), took: asked.elapsed() })
    }
}

impl Checkup {
    /// Records the test call: the permission it needs, the answer, if any, and the result. `tolerance` is the documented
    /// limit for a wrong clock.
    pub fn tried<T>(
        &mut self,
        permission: &str,
        heard: Option<&Heard>,
        tolerance: TimeDelta,
        result: Result<T>,
    ) -> Result<T> {
        let kind = result.as_ref().err().map(|error| error.kind);
        // After any other failure, it is unclear whether the service checked the credentials.
        let believed = matches!(kind, None | Some(Kind::Denied | Kind::NoStore));
        let in_time = heard.is_none_or(|heard| self.heard(heard, tolerance, believed));
        match (&result, kind) {
            (Err(error), _) if heard.is_none() => self.fail(Subject::Endpoint, error.clone()),
            (Err(error), Some(Kind::Config | Kind::Unreadable)) => {
                self.fail(Subject::Endpoint, error.clone());
            }
            // With a wrong clock, a rejection does not prove that the credentials are bad.
            (Err(_), Some(Kind::Auth)) if !in_time => {
                self.open(Subject::Credentials).note = Some("rejected, perhaps only because the clock is wrong".into());
            }
            (Err(error), Some(Kind::Auth)) => self.fail(Subject::Credentials, error.clone()),
            (answer, _) => {
                if believed {
                    self.pass(Subject::Credentials);
                    self.pass(Subject::Region);
                }
                // The service also denies access to projects of other accounts.
                if answer.is_ok() {
                    self.pass(Subject::Project);
                }
                let answer = answer.as_ref().map(drop).map_err(Clone::clone);
                self.allowed(Subject::Read, permission, answer);
            }
        }
        result
    }

    /// Tells whether the clock is accurate enough. A service that accepted the credentials tolerates more than it documents.
    fn heard(&mut self, heard: &Heard, tolerance: TimeDelta, believing: bool) -> bool {
        self.reached(Subject::Endpoint, heard.took);
        // The service wrote the date about half-way between call and answer, in whole seconds.
        let way = TimeDelta::from_std(heard.took / 2).unwrap_or_default();
        let ahead = heard.date.as_deref().and_then(|date| clock_ahead(date, heard.at - way));
        let Some(ahead) = ahead.map(|ahead| TimeDelta::seconds(ahead.num_seconds())) else {
            self.unknown(Subject::Clock, "the answer has no date");
            return true;
        };
        let off = match ahead.num_seconds() {
            -1..=1 => "matches the service".into(),
            _ => offset(ahead),
        };
        let limit = span(tolerance);
        let hint = "set this machine's clock, for example with NTP";
        let clock = self.open(Subject::Clock);
        clock.seconds_ahead = Some(ahead.num_seconds());
        clock.value = Some(off.clone());
        clock.state = State::Ok;
        if ahead.abs() > tolerance && !believing {
            let message = format!("this machine's clock is {off}, and the service allows {limit}");
            self.fail(Subject::Clock, Error::new(Kind::Config, message).hint(hint));
            return false;
        }
        if ahead.abs() > clock::TOLERANCE {
            clock.state = State::Warning;
            clock.note = Some(format!("the service allows {limit}: {hint}"));
        }
        true
    }

    /// Marks a setting that was found as working.
    fn pass(&mut self, subject: Subject) {
        let mut checks = self.checks.iter_mut();
        let found = checks.find(|check| check.check == subject && check.state == State::Found);
        if let Some(check) = found {
            check.state = State::Ok;
        }
    }
}
