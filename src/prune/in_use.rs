//! Finds images in use in any text: pods, task definitions, values of charts, lists. The text is read as a stream of
//! words, whatever quotes and brackets surround them, so neither a huge file nor an endless line fills the memory. An
//! ambiguous word protects every image that it may name.

mod bare;
#[cfg(test)]
mod forms;
mod halves;
mod keys;
mod known;
mod mentions;
mod pairs;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    io::{self, BufRead},
};

pub use self::known::Known;
use self::{
    bare::Bare,
    halves::Halves,
    keys::Key,
    known::is_hex,
    mentions::{At, Is, Meant, Mentions, Sure},
};
use super::{Evidence, whole::Whole, words::Words};
use crate::image::{Located, Provider, StoreRef};

/// How many images a source names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Distinct references, digests and ids in the source.
    pub recognised: usize,
    /// Images of these stores that they name.
    pub protected: usize,
    /// Distinct references and ids that no store of the run has.
    pub elsewhere: usize,
    /// The first of them, each with its place: `pods.json line 7: app:v1`.
    pub examples: Vec<String>,
    /// Repositories that the source names without saying which image, with the place.
    pub unpinned: Vec<(String, StoreRef)>,
}

/// The examples that a tally keeps.
const MOST_EXAMPLES: usize = 100;

/// Reads one source: a file, or all files of a folder. A repository and its tag may stand in two of them.
pub struct Scan<'a, 's> {
    known: &'a Known<'s>,
    evidence: &'a mut Evidence,
    /// The names of the files read so far.
    files: Vec<String>,
    /// Hashes of what was recognised, which take less memory than the words.
    seen: HashSet<u64>,
    protected: HashSet<(usize, &'s str)>,
    /// Hashes of what no store has.
    elsewhere: HashSet<u64>,
    examples: Vec<String>,
    hash: RandomState,
    /// The line of the word before, and what it is as a key.
    before: (usize, Key),
    mentions: Mentions,
    halves: Halves,
    bare: Bare,
}

/// A word, and where it says that an image is.
struct Word<'w> {
    /// Without punctuation before it.
    whole: &'w str,
    /// Without punctuation after it, too.
    text: &'w str,
    located: Located<'w>,
    digest: Option<&'w str>,
}

impl<'w> Word<'w> {
    fn of(word: &'w str) -> Self {
        let whole = word.trim_start_matches(['.', ':', '/', '@', '-']);
        let whole = without_port(word).unwrap_or(whole);
        let text = whole.trim_end_matches(['.', ':', '/', '@']);
        let (path, digest) = match find_digest(text) {
            Some(digest) => (text[..digest].trim_end_matches(['@', '/', ':']), Some(&text[digest..digest + DIGEST])),
            None => (text, None),
        };
        Self { whole, text, located: Located::of(path), digest }
    }

    /// Its tag, if that ends with a dot.
    fn dotted(&self) -> Option<&'w str> {
        Located::of(self.whole.trim_end_matches([':', '/', '@'])).tag
    }

    /// A variable may follow the colon.
    fn is_open(&self) -> bool {
        self.whole.ends_with(':')
    }
}

/// What follows the port in `[ADDRESS]:PORT/REPOSITORY`, of which words have what is behind the brackets.
fn without_port(word: &str) -> Option<&str> {
    let (port, rest) = word.strip_prefix(':')?.split_once('/')?;
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
}

/// Reads a text and records the images that it names, with the source's name and the line.
#[cfg(test)]
pub fn scan(source: &str, text: impl BufRead, known: &Known, evidence: &mut Evidence) -> io::Result<Tally> {
    let mut scan = Scan::new(known, evidence);
    scan.file(source, text)?;
    Ok(scan.end())
}

impl<'a, 's> Scan<'a, 's> {
    pub fn new(known: &'a Known<'s>, evidence: &'a mut Evidence) -> Self {
        Self {
            known,
            evidence,
            files: Vec::new(),
            seen: HashSet::new(),
            protected: HashSet::new(),
            elsewhere: HashSet::new(),
            examples: Vec::new(),
            hash: RandomState::new(),
            before: (0, Key::default()),
            mentions: Mentions::default(),
            halves: Halves::default(),
            bare: Bare::default(),
        }
    }

    /// Reads a file of the source; tells whether it opens as JSON, but does not end as JSON.
    pub fn file(&mut self, name: &str, mut text: impl BufRead) -> io::Result<bool> {
        self.files.push(name.into());
        self.before = (0, Key::default());
        let (mut words, mut whole) = (Words::default(), Whole::default());
        loop {
            let bytes = text.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            for byte in bytes {
                whole.byte(*byte);
                words.byte(*byte, |word, line| self.word(word, line));
            }
            let length = bytes.len();
            text.consume(length);
        }
        // Ends the last word.
        words.byte(b'\n', |word, line| self.word(word, line));
        self.halves.end_file();
        let meant = self.mentions.end_file(self.known);
        self.protect_all(meant);
        Ok(whole.is_cut())
    }

    /// Ends the source.
    pub fn end(mut self) -> Tally {
        let (apart, whole) = std::mem::take(&mut self.bare).latest(self.known);
        whole.iter().for_each(|(place, ..)| self.mentions.pin(*place));
        let (values, open) = std::mem::take(&mut self.mentions).end(self.known);
        [values, whole, apart].into_iter().for_each(|meant| self.protect_all(meant));
        let unpinned = open.into_iter().map(|(place, at)| {
            let store = (*self.known.stocks[place].store).clone();
            (format!("{}:{}", self.files[at.file], at.line), store)
        });
        let unpinned = unpinned.collect();
        Tally {
            recognised: self.seen.len(),
            protected: self.protected.len(),
            elsewhere: self.elsewhere.len(),
            examples: self.examples,
            unpinned,
        }
    }

    fn word(&mut self, word: &str, line: usize) {
        let word = Word::of(word);
        if word.text.is_empty() {
            return;
        }
        let at = At { file: self.files.len() - 1, line };
        self.mentions.next_word();
        let key = Key::of(word.text);
        self.bare.next_word(word.text, key.tag, self.mentions.words_read(), self.known, at);
        if let Some(digest) = word.digest {
            self.recognised(word.text);
            self.digest(&word.located, digest, at);
        }
        self.image(&word, at);
        self.ids(word.text, at);
        if word.digest.is_none() {
            self.halves(&word.located, at);
        }
        self.note(word.whole, at);
        self.before = (line, key);
    }

    /// A digest with a repository of these stores names that one. Any other repository may be a mirror.
    fn digest(&mut self, located: &Located, digest: &str, at: At) {
        let exact = self.stocks(located, located.repository);
        let elsewhere = located.provider.is_some();
        let places = self.known.ids.get(digest).into_iter().flatten();
        let places = places.filter(|place| exact.contains(place) || exact.is_empty() && !elsewhere);
        places.for_each(|place| self.protect(*place, digest, at));
    }

    /// An image of a repository, or a repository.
    fn image(&mut self, word: &Word, at: At) {
        let located = &word.located;
        let (is_ours, tag) = (located.provider.is_some(), located.tag);
        let exact = self.stocks(located, located.repository);
        let copies = if exact.is_empty() { self.copies(located) } else { Vec::new() };
        let is_value = self.follows_repository_key(at.line);
        let is_named = is_ours || is_value || located.repository.contains('/');
        let sure = if is_named { Sure::Named } else { Sure::Word };
        let is_image = tag.is_some() || word.digest.is_some();
        let is_bare = is_ours && !is_image && !is_value && !word.is_open();
        let mut any = false;
        let exact_and_copies = exact.iter().map(|place| (*place, sure));
        for (place, sure) in exact_and_copies.chain(copies.into_iter().map(|copy| (copy, Sure::Maybe))) {
            let tags = [tag, word.dotted()].into_iter().flatten();
            let tagged = tags.filter_map(|tag| self.known.by_tag(place, tag)).next();
            let found = tagged.is_some() || word.digest.is_some_and(|digest| self.known.has(place, digest));
            any |= found;
            if let Some(id) = tagged {
                self.protect(place, id, at);
            }
            match found {
                true => self.mentions.pin(place),
                false => self.mention(place, sure, at),
            }
            if is_bare {
                self.bare.found(place, self.mentions.words_read(), at);
            }
        }
        if (is_ours || !exact.is_empty() || any) && (tag.is_some() || is_bare) {
            self.recognised(word.text);
        }
        if is_ours && !any && (is_image || exact.is_empty()) {
            self.elsewhere(word.text, at);
        }
    }

    /// Repositories that a name elsewhere may be a copy of, or that are copies of it: a mirror or proxy puts names before
    /// ours, and a pull-through cache puts ours before theirs.
    fn copies(&self, located: &Located) -> Vec<usize> {
        let path = located.repository;
        if located.provider.is_some() || path.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (slash, _) in path.match_indices('/') {
            found.extend(self.stocks(located, &path[slash + 1..]));
        }
        let theirs = match path.contains('/') || located.host.is_some() {
            true => &self.known.endings,
            false => &self.known.official,
        };
        found.extend(theirs.get(path).into_iter().flatten());
        found
    }

    /// A word that may be one half of a repository's name.
    fn halves(&mut self, located: &Located, at: At) {
        let (name, number) = (located.repository, self.mentions.words_read());
        let is_sure = located.host.is_some() || located.provider.is_some() || self.follows_repository_key(at.line);
        let folders = self.known.folders.get(name).into_iter().flatten();
        let is_folder = folders.copied().any(|place| located.may_be_in(&self.known.stocks[place].store));
        let mut found = Vec::new();
        if is_folder && located.tag.is_none() {
            found.extend(self.halves.folder(self.known, name, is_sure, number));
        }
        if self.known.endings.contains_key(name) {
            found.extend(self.halves.ending(self.known, name, number));
        }
        found.into_iter().for_each(|(place, sure)| self.mention(place, sure, at));
    }

    fn mention(&mut self, place: usize, sure: Sure, at: At) {
        let near = self.mentions.repository(self.known, place, sure, at);
        self.protect_all(near);
    }

    /// Notes what a word, or a part of it, may mean of a repository that is named elsewhere.
    fn note(&mut self, word: &str, at: At) {
        let is = Is { value: self.before.1.value, alone: !word.contains(['/', ':', '@']) };
        let is = Is { alone: is.alone || find_digest(word) == Some(0), ..is };
        for part in word.split(['/', ':', '@']) {
            let trimmed = part.trim_end_matches(['-', '.']);
            for part in [Some(part), Some(trimmed).filter(|trimmed| *trimmed != part)].into_iter().flatten() {
                if self.known.may_mean(part) {
                    let near = self.mentions.word(self.known, part, is, at);
                    self.protect_all(near);
                }
            }
        }
    }

    /// Whether the word before, on the same line, is a key whose value is a repository.
    fn follows_repository_key(&self, line: usize) -> bool {
        self.before.0 == line && self.before.1.repository
    }

    /// Provider ids, alone or as part of a path. They are opaque: a word is an id if a store has it, or if its form is
    /// unmistakable.
    fn ids(&mut self, word: &str, at: At) {
        let parts = word.split(['/', ':', '@']).filter(|part| part.len() < word.len());
        for part in parts.chain([word]) {
            // A digest without its algorithm.
            let digest = (part.len() == DIGITS && part.bytes().all(is_hex) && part.len() == word.len())
                .then(|| format!("sha256:{part}"));
            let known = self.known.ids.get_key_value(digest.as_deref().unwrap_or(part));
            let known = known.filter(|(id, _)| digest.is_some() || !id.starts_with("sha256:"));
            let is_id = Provider::ALL.into_iter().any(|provider| provider.is_id(part));
            if known.is_some() || is_id {
                self.recognised(part);
            }
            match known {
                Some((id, places)) => places.iter().for_each(|place| self.protect(*place, id, at)),
                None if is_id => self.elsewhere(part, at),
                None => {}
            }
        }
    }

    /// The repositories of these stores that a name may mean where a word says that it is.
    fn stocks(&self, located: &Located, name: &str) -> Vec<usize> {
        let places = self.known.repositories.get(name).into_iter().flatten().copied();
        places.filter(|place| located.may_be_in(&self.known.stocks[*place].store)).collect()
    }

    fn recognised(&mut self, what: &str) {
        self.seen.insert(self.hash.hash_one(what));
    }

    fn elsewhere(&mut self, what: &str, at: At) {
        if self.elsewhere.insert(self.hash.hash_one(what)) && self.examples.len() < MOST_EXAMPLES {
            self.examples.push(format!("{} line {}: {what}", self.files[at.file], at.line));
        }
    }

    fn protect_all(&mut self, meant: Vec<Meant<'s>>) {
        for (place, id, at) in meant {
            self.protect(place, id, at);
        }
    }

    fn protect(&mut self, place: usize, id: &str, at: At) {
        if let Some((id, _)) = self.known.ids.get_key_value(id)
            && self.protected.insert((place, id))
        {
            let why = format!("in use, {} line {}", self.files[at.file], at.line);
            self.evidence.id_in(&self.known.stocks[place].store, id, why);
        }
    }
}

/// The length of a digest's digits.
const DIGITS: usize = 64;

/// The length of `sha256:` and the digits.
const DIGEST: usize = 7 + DIGITS;

/// The position of a whole digest in a word.
fn find_digest(word: &str) -> Option<usize> {
    let whole = |at: &usize| {
        let rest = &word.as_bytes()[*at + 7..];
        rest.iter().take_while(|byte| is_hex(**byte)).count() == DIGITS
    };
    word.match_indices("sha256:").map(|(at, _)| at).find(whole)
}
