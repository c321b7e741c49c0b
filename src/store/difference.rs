//! What changed about an image between two looks at it. imgctl compares every image with what the user agreed to delete
//! right before it sends the deletion.

use std::{collections::HashSet, fmt};

use chrono::{DateTime, Utc};

use super::Image;

/// What of an image must not change until it is deleted. A saved plan may name a hundred thousand images, and nothing else
/// of them is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    pub tags: Vec<String>,
    name: Option<String>,
    state: Option<String>,
    bytes: Option<u64>,
    pushed_at: Option<DateTime<Utc>>,
    created_at: Option<DateTime<Utc>>,
    pulled_at: Option<DateTime<Utc>>,
}

impl From<&Image> for Condition {
    fn from(image: &Image) -> Self {
        Self {
            tags: image.tags.clone(),
            name: image.name.clone(),
            state: image.state.clone(),
            bytes: image.bytes,
            pushed_at: image.pushed_at,
            created_at: image.created_at,
            pulled_at: image.pulled_at,
        }
    }
}

/// The first difference. Its text completes a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The image was deleted, and the same content was pushed again.
    PushedAgain,
    TagAdded(String),
    TagRemoved(String),
    Renamed(String),
    Pulled,
    State(String, String),
    Size,
}

impl Difference {
    /// Compares an image with what it was, but for the tags that this run `removed` itself. Earlier pulls than `read_at`
    /// may be our own: services count reading a manifest as a pull.
    pub fn between(
        seen: &Condition,
        now: &Image,
        removed: &HashSet<String>,
        read_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        if newer(now.pushed_at, seen.pushed_at) || newer(now.created_at, seen.created_at) {
            return Some(Self::PushedAgain);
        }
        let known: HashSet<&str> = seen.tags.iter().map(String::as_str).collect();
        let there: HashSet<&str> = now.tags.iter().map(String::as_str).collect();
        if let Some(new) = now.tags.iter().find(|tag| !known.contains(tag.as_str())) {
            return Some(Self::TagAdded(new.clone()));
        }
        if let Some(lost) = seen.tags.iter().find(|tag| !there.contains(tag.as_str()) && !removed.contains(*tag)) {
            return Some(Self::TagRemoved(lost.clone()));
        }
        if seen.name != now.name {
            return Some(Self::Renamed(now.name.clone().unwrap_or_default()));
        }
        if newer(now.pulled_at, seen.pulled_at.max(read_at)) {
            return Some(Self::Pulled);
        }
        match (&seen.state, &now.state) {
            (Some(was), Some(is)) if was != is => return Some(Self::State(was.clone(), is.clone())),
            _ => {}
        }
        let size_changed = seen.bytes.is_some() && now.bytes.is_some() && seen.bytes != now.bytes;
        size_changed.then_some(Self::Size)
    }

    /// Our code for it, in an item's error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PushedAgain => "PushedAgain",
            Self::TagAdded(_) => "TagAdded",
            Self::TagRemoved(_) => "TagRemoved",
            Self::Renamed(_) => "Renamed",
            Self::Pulled => "PulledSince",
            Self::State(..) => "StateChanged",
            Self::Size => "SizeChanged",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::PushedAgain => f.write_str("it was pushed again"),
            Self::TagAdded(tag) => write!(f, "it gained the tag {tag}"),
            Self::TagRemoved(tag) => write!(f, "it lost the tag {tag}"),
            Self::Renamed(name) => write!(f, "it was renamed to \"{name}\""),
            Self::Pulled => f.write_str("it was pulled"),
            Self::State(was, is) => write!(f, "its state changed from {was} to {is}"),
            Self::Size => f.write_str("its size changed"),
        }
    }
}

/// Plans hold times in whole seconds.
fn newer(now: Option<DateTime<Utc>>, then: Option<DateTime<Utc>>) -> bool {
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
    now.is_some() && seconds(now) > seconds(then)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(1_800_000_000 + second, 500_000_000)
    }

    fn seen() -> Image {
        Image {
            tags: vec!["a".into(), "b".into()],
            name: Some("web".into()),
            state: Some("normal".into()),
            bytes: Some(7),
            pushed_at: time(0),
            pulled_at: time(5),
            ..Image::default()
        }
    }

    #[test]
    fn every_change_since_the_user_agreed_is_a_difference() {
        let tags = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
        type Change<'c> = &'c dyn Fn(&mut Image);
        let table: [(Change, Option<&str>); 12] = [
            (&|_| {}, None),
            (&|now| now.tags = tags(&["b", "a"]), None),
            (&|now| now.tags = tags(&["a", "b", "c"]), Some("it gained the tag c")),
            (&|now| now.tags = tags(&["b"]), Some("it lost the tag a")),
            (&|now| now.name = Some("db".into()), Some("it was renamed to \"db\"")),
            (&|now| now.state = Some("syncing".into()), Some("its state changed from normal to syncing")),
            (&|now| now.bytes = Some(8), Some("its size changed")),
            (&|now| now.pushed_at = time(1), Some("it was pushed again")),
            (&|now| now.created_at = time(1), Some("it was pushed again")),
            (&|now| now.pulled_at = time(6), Some("it was pulled")),
            // Plans know no fractions, and some answers leave things out.
            (&|now| now.pushed_at = DateTime::from_timestamp(1_800_000_000, 900_000_000), None),
            (&|now| (now.state, now.bytes, now.pulled_at) = (None, None, None), None),
        ];
        for (change, difference) in table {
            let mut now = seen();
            change(&mut now);
            let found = Difference::between(&Condition::from(&seen()), &now, &HashSet::new(), None);
            assert_eq!(found.map(|found| found.to_string()).as_deref(), difference);
        }
    }

    #[test]
    fn what_this_run_did_itself_is_no_change() {
        let now = Image { tags: vec!["b".into()], pulled_at: time(60), ..seen() };
        let removed = HashSet::from(["a".to_owned()]);
        assert_eq!(Difference::between(&Condition::from(&seen()), &now, &removed, time(60)), None);
        assert_eq!(Difference::between(&Condition::from(&seen()), &now, &removed, time(59)), Some(Difference::Pulled));
    }
}
