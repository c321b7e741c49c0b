//! How often each operation may be called: so many calls within any second, for each region.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// What the documents say of each operation, on its own page; the others are not limited here.
/// <https://www.tencentcloud.com/document/api/213/33255>
const LIMITS: [(&str, usize); 5] = [
    ("DeleteImages", 10),
    ("DescribeImages", 40),
    ("DescribeImageQuota", 10),
    ("DescribeImageSharePermission", 10),
    ("ModifyImageSharePermission", 10),
];

/// The calls of the last second.
#[derive(Default)]
pub(super) struct Rates(HashMap<(String, &'static str), VecDeque<DateTime<Utc>>>);

impl Rates {
    /// Whether one more call fits; if so, it counts.
    pub fn admits(&mut self, region: &str, operation: &'static str, now: DateTime<Utc>) -> bool {
        let Some((_, limit)) = LIMITS.iter().find(|(name, _)| *name == operation) else {
            return true;
        };
        let calls = self.0.entry((region.to_owned(), operation)).or_default();
        calls.retain(|call| now - call < TimeDelta::seconds(1));
        let fits = calls.len() < *limit;
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
    fn any_second_holds_as_many_calls_as_documented_in_each_region() {
        let mut rates = Rates::default();
        let at = |milliseconds| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds);
        for call in 0..10 {
            assert!(rates.admits("a", "DeleteImages", at(900 + call)));
        }
        assert!(!rates.admits("a", "DeleteImages", at(1500)));
        assert!(rates.admits("b", "DeleteImages", at(1500)));
        assert!(rates.admits("a", "DescribeImages", at(1500)));
        assert!(!rates.admits("a", "DeleteImages", at(1899)));
        assert!(rates.admits("a", "DeleteImages", at(1900)));
        assert!(!rates.admits("a", "DeleteImages", at(1900)));
        assert!((0..1000).all(|_| rates.admits("a", "DescribeInstances", at(0))));
    }
}
