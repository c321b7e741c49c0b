//! Whole names of repositories that stand without a tag where an image stands. Such a name means `latest`, unless the
//! source says more.

use std::collections::{BTreeMap, VecDeque};

use super::{
    known::Known,
    mentions::{At, Meant, are_near},
    pairs::CLOSE,
};

/// By store, the names that a source leaves without a tag.
#[derive(Default)]
pub struct Bare {
    names: BTreeMap<usize, Name>,
    near: VecDeque<Near>,
    /// The number of the last key for tags.
    key: Option<usize>,
}

struct Name {
    at: At,
    /// A key for tags is near, so there must be a tag.
    tag_apart: bool,
    /// At least once, no tag followed.
    plain: bool,
}

/// A name that was just read.
struct Near {
    word: usize,
    line: usize,
    place: usize,
    /// Its tag followed, as in a table, or as the value of a key.
    has_tag: bool,
}

impl Bare {
    pub fn found(&mut self, place: usize, word: usize, at: At) {
        let tag_apart = self.key.is_some_and(|key| are_near(key, word));
        let name = self.names.entry(place).or_insert(Name { at, tag_apart, plain: false });
        name.tag_apart |= tag_apart;
        self.near.push_back(Near { word, line: at.line, place, has_tag: false });
    }

    /// Looks at a word after such names: it may be the tag, or a key for tags.
    pub fn next_word(&mut self, word: &str, is_key: bool, number: usize, known: &Known, at: At) {
        while self.near.front().is_some_and(|near| !are_near(near.word, number)) {
            self.end_first();
        }
        let key = self.key;
        for near in &mut self.near {
            let in_row = near.word + 1 == number && near.line == at.line;
            let is_value = key.is_some_and(|key| key + 1 == number && key > near.word && key - near.word <= CLOSE);
            near.has_tag |=
                (in_row || is_value) && (known.by_tag(near.place, word).is_some() || known.has(near.place, word));
            if let (true, Some(name)) = (is_key, self.names.get_mut(&near.place)) {
                name.tag_apart = true;
            }
        }
        if is_key {
            self.key = Some(number);
        }
    }

    fn end_first(&mut self) {
        if let Some(near) = self.near.pop_front()
            && let Some(name) = self.names.get_mut(&near.place)
        {
            name.plain |= !near.has_tag;
        }
    }

    /// The images that `latest` means: those that may have a tag apart, and those that have none.
    pub fn latest<'s>(mut self, known: &Known<'s>) -> (Vec<Meant<'s>>, Vec<Meant<'s>>) {
        while !self.near.is_empty() {
            self.end_first();
        }
        let (mut apart, mut whole) = (Vec::new(), Vec::new());
        for (place, name) in self.names.into_iter().filter(|(_, name)| name.plain) {
            let meant = known.by_tag(place, "latest").map(|id| (place, id, name.at));
            if name.tag_apart { &mut apart } else { &mut whole }.extend(meant);
        }
        (apart, whole)
    }
}
