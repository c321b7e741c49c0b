//! Repositories that a source names in one place, and the words elsewhere that may say which image is meant: Helm values,
//! Terraform variables, tables. A word counts for a repository if it is near the name, if it is the value of a key such as
//! `tag`, or, for a name that cannot mean anything else, if it is in the same file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{known::Known, pairs::Pairs};

/// Words between a repository and its tag, at most, in whichever order: those of a short YAML block.
const NEAR: usize = 16;

/// Whether two words, by their numbers, are so near that they may belong together.
pub fn are_near(one: usize, other: usize) -> bool {
    one.abs_diff(other) <= NEAR
}

/// How sure it is that a name means a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    /// A word without a slash, which may be anything: only what is near, or the value of a key, counts.
    Word,
    /// The name of a copy, or a folder here and a name there: it may be another repository.
    Maybe,
    /// The source must say which image.
    Named,
}

/// Where a source says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The number of the file in its source.
    pub file: usize,
    pub line: usize,
}

/// An image that a source means, and where.
pub type Meant<'s> = (usize, &'s str, At);

/// What one source says of repositories and of images, apart.
#[derive(Default)]
pub struct Mentions {
    /// By store.
    named: BTreeMap<usize, (Sure, At)>,
    /// The repositories of this file that take all its words.
    here: BTreeSet<usize>,
    /// The words of this file that may mean an image, each with its first line.
    words: BTreeMap<String, At>,
    /// The values of keys such as `tag`, in the whole source.
    values: BTreeMap<String, At>,
    /// How many words were read, and what the last of them were.
    read: usize,
    near_names: VecDeque<(usize, usize)>,
    near_words: VecDeque<(usize, String, At)>,
    pairs: Pairs,
}

impl Mentions {
    pub fn next_word(&mut self) {
        self.read += 1;
        let read = self.read;
        while self.near_names.front().is_some_and(|near| !are_near(near.0, read)) {
            self.near_names.pop_front();
        }
        while self.near_words.front().is_some_and(|near| !are_near(near.0, read)) {
            self.near_words.pop_front();
        }
    }

    /// How many words were read: the number of this word.
    pub fn words_read(&self) -> usize {
        self.read
    }

    /// Records a repository; returns the images that are named near before it.
    pub fn repository<'s>(&mut self, known: &Known<'s>, place: usize, sure: Sure, at: At) -> Vec<Meant<'s>> {
        let before = self.named.entry(place).or_insert((sure, at));
        if sure > before.0 {
            *before = (sure, at);
        }
        if sure > Sure::Word {
            self.here.insert(place);
        }
        self.pairs.name(known, place, sure, self.read);
        self.near_names.push_back((self.read, place));
        resolve(known, [&place], self.near_words.iter().map(|(_, word, at)| (word, at)))
    }

    /// Records what a word may mean, which stands alone or is part of a reference; returns the images whose repository is
    /// named near before it.
    pub fn word<'s>(&mut self, known: &Known<'s>, word: &str, is: Is, at: At) -> Vec<Meant<'s>> {
        if is.alone {
            self.pairs.word(known, word, is.value, self.read);
        }
        if !self.words.contains_key(word) {
            self.words.insert(word.to_owned(), at);
        }
        if is.value && !self.values.contains_key(word) {
            self.values.insert(word.to_owned(), at);
        }
        self.near_words.push_back((self.read, word.to_owned(), at));
        resolve(known, self.near_names.iter().map(|(_, place)| place), [(word, &at)])
    }

    /// Ends a file; returns what its words mean in the repositories that it names.
    pub fn end_file<'s>(&mut self, known: &Known<'s>) -> Vec<Meant<'s>> {
        // The next file is far.
        self.read += NEAR + 1;
        self.near_names.clear();
        self.near_words.clear();
        let (here, words) = (std::mem::take(&mut self.here), std::mem::take(&mut self.words));
        self.pairs.end_file(known, &here);
        resolve(known, &here, &words)
    }

    /// Records that the source names an image of a repository.
    pub fn pin(&mut self, place: usize) {
        self.pairs.pin(place);
    }

    /// Ends the source; returns what the values of keys mean in the repositories that it names, and the repositories of which
    /// it does not say which image.
    pub fn end<'s>(self, known: &Known<'s>) -> (Vec<Meant<'s>>, Vec<(usize, At)>) {
        let values = resolve(known, self.named.keys(), &self.values);
        let pinned = self.pairs.end(known, &self.named.keys().copied().collect());
        let named = self.named.into_iter().filter(|(_, (sure, _))| *sure == Sure::Named);
        let open = named.filter(|(place, _)| !pinned.contains(place)).map(|(place, (_, at))| (place, at));
        (values, open.collect())
    }
}

/// How a word stands.
#[derive(Clone, Copy)]
pub struct Is {
    /// After a key such as `tag`.
    pub value: bool,
    /// Not as part of a reference.
    pub alone: bool,
}

/// The images that words mean in repositories.
fn resolve<'s, 'm, W: AsRef<str> + 'm>(
    known: &Known<'s>,
    places: impl IntoIterator<Item = &'m usize>,
    words: impl IntoIterator<Item = (W, &'m At)> + Clone,
) -> Vec<Meant<'s>> {
    let mut meant = Vec::new();
    for place in places {
        for (word, at) in words.clone() {
            meant.extend(known.meant(*place, word.as_ref()).map(|id| (*place, id, *at)));
        }
    }
    meant
}
