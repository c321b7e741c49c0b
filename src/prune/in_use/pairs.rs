//! Which repositories have an image of their own in a source. A tag beside one repository says nothing of the next: several
//! repositories often have the same tags, and the one that is left open may be in use by another.

use std::collections::{BTreeSet, VecDeque};

use super::{
    known::Known,
    mentions::{Sure, are_near},
};

/// Words between a repository and a tag that belongs to it alone, at most: the keys of both.
pub const CLOSE: usize = 4;

#[derive(Default)]
pub struct Pairs {
    /// The repositories that have an image of their own.
    pinned: BTreeSet<usize>,
    names: VecDeque<Name>,
    /// Words that may be the tag of what follows.
    words: VecDeque<Word>,
    /// The word that the last name took, with that name's number.
    taken: Option<(usize, String)>,
    /// Words of this file that belong to no repository alone.
    free: BTreeSet<String>,
    /// Those that are values of keys such as `tag`, in the whole source.
    values: BTreeSet<String>,
}

struct Name {
    number: usize,
    place: usize,
    sure: Sure,
    has_tag: bool,
}

struct Word {
    number: usize,
    word: String,
    is_value: bool,
}

impl Pairs {
    pub fn pin(&mut self, place: usize) {
        self.pinned.insert(place);
    }

    /// A repository. A name may mean several.
    pub fn name(&mut self, known: &Known, place: usize, sure: Sure, number: usize) {
        self.forget(number);
        let fits = |word: &str| known.names(place, word);
        let again = self.taken.as_ref().is_some_and(|(name, word)| *name == number && fits(word));
        let before = self.words.iter().rposition(|word| number - word.number <= CLOSE && fits(&word.word));
        let before = before.filter(|_| sure > Sure::Word && !again);
        if let Some(word) = before.and_then(|at| self.words.remove(at)) {
            self.taken = Some((number, word.word));
        }
        let has_tag = again || before.is_some();
        if has_tag {
            self.pinned.insert(place);
        }
        self.names.push_back(Name { number, place, sure, has_tag });
    }

    /// A word that stands alone and may mean an image.
    pub fn word(&mut self, known: &Known, word: &str, is_value: bool, number: usize) {
        self.forget(number);
        let open = |name: &&Name| !name.has_tag && number - name.number <= CLOSE && known.names(name.place, word);
        let best = self.names.iter().filter(open).map(|name| (name.sure, name.number)).max();
        let Some((_, best)) = best else {
            self.words.push_back(Word { number, word: word.into(), is_value });
            return;
        };
        for name in self.names.iter_mut().filter(|name| name.number == best && known.names(name.place, word)) {
            name.has_tag = true;
            self.pinned.insert(name.place);
        }
    }

    /// Forgets what is too far from the word of this number.
    fn forget(&mut self, number: usize) {
        while self.names.front().is_some_and(|name| !are_near(name.number, number)) {
            self.names.pop_front();
        }
        while let Some(word) = self.words.pop_front_if(|word| !are_near(word.number, number)) {
            if word.is_value {
                self.values.insert(word.word.clone());
            }
            self.free.insert(word.word);
        }
    }

    /// Ends a file, which takes these repositories by their names.
    pub fn end_file(&mut self, known: &Known, here: &BTreeSet<usize>) {
        self.forget(usize::MAX);
        let free = std::mem::take(&mut self.free);
        self.pin_by(known, here, &free);
    }

    /// Ends the source; returns the repositories that have an image of their own.
    pub fn end(mut self, known: &Known, named: &BTreeSet<usize>) -> BTreeSet<usize> {
        let values = std::mem::take(&mut self.values);
        self.pin_by(known, named, &values);
        self.pinned
    }

    fn pin_by(&mut self, known: &Known, places: &BTreeSet<usize>, words: &BTreeSet<String>) {
        let pinned = |place: &&usize| words.iter().any(|word| known.names(**place, word));
        let pinned: Vec<usize> = places.iter().filter(pinned).copied().collect();
        self.pinned.extend(pinned);
    }
}
