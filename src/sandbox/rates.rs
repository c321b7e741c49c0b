//! How often an operation may be called: so many calls within any second.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// The calls of the last second, by what is counted: an operation, or an operation in one region.
#[derive(Default)]
pub(super) struct Rates(HashMap<String, VecDeque<DateTime<Utc>>>);

impl Rates {
    /// Whether one more call fits. If it does, it counts.
    pub fn admits(&mut self, counted: String, most: Option<u32>, now: DateTime<Utc>) -> bool {
        let Some(most) = most else {
            return true;
        };
        let calls = self.0.entry(counted).or_default();
        calls.retain(|call| now - call < TimeDelta::seconds(1));
        let fits = calls.len() < most as usize;
        if fits {
            calls.push_back(now);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_second_holds_as_many_calls_as_allowed_of_each_kind() {
        let mut rates = Rates::default();
        let at = |milliseconds| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds);
        let mut admits = |counted: &str, time| rates.admits(counted.into(), Some(10), at(time));
        assert!((0..10).all(|call| admits("a", 900 + call)));
        assert!(!admits("a", 1500));
        assert!(admits("b", 1500));
        assert!(!admits("a", 1899));
        assert!(admits("a", 1900));
        assert!(!admits("a", 1900));
        assert!((0..1000).all(|_| rates.admits("c".into(), None, at(0))));
    }
}
