//! A rate for every operation, as services keep it that publish none: a bucket that holds a second's calls, and that
//! refills all the time.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

pub(super) struct Buckets {
    per_second: f64,
    /// What each bucket holds, and when it was looked at.
    filled: HashMap<String, (f64, DateTime<Utc>)>,
}

impl Buckets {
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), filled: HashMap::new() }
    }

    /// Whether one more call fits. If it does, it counts.
    pub fn admits(&mut self, operation: &str, now: DateTime<Utc>) -> bool {
        let (held, looked) = self.filled.entry(operation.into()).or_insert((self.per_second, now));
        let refilled = (now - *looked).as_seconds_f64() * self.per_second;
        (*held, *looked) = ((*held + refilled).min(self.per_second), now);
        let fits = *held >= 1.0;
        if fits {
            *held -= 1.0;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_second_of_calls_passes_at_once_and_then_as_many_as_flow_in() {
        let mut buckets = Buckets::new(10);
        let at = |milliseconds| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds);
        assert!((0..10).all(|_| buckets.admits("a", at(0))));
        assert!(!buckets.admits("a", at(90)));
        assert!(buckets.admits("b", at(90)));
        assert!(buckets.admits("a", at(110)));
        assert!(!buckets.admits("a", at(110)));
        assert!((0..10).all(|_| buckets.admits("a", at(60_000))));
        assert!(!buckets.admits("a", at(60_000)));
    }
}
