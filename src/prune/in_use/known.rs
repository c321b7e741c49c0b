//! Finds images and repositories of some stores by name.

use std::collections::{HashMap, HashSet};

use super::DIGITS;
use crate::prune::{Stock, inventory::identity};

/// The images of some stores, by everything that a text may call them.
pub struct Known<'s> {
    pub stocks: Vec<&'s Stock>,
    /// Digests and provider ids, with the stores that have them.
    pub ids: HashMap<&'s str, Vec<usize>>,
    pub repositories: HashMap<&'s str, Vec<usize>>,
    /// The repositories in a folder of that name: `team` of `team/app`.
    pub folders: HashMap<&'s str, Vec<usize>>,
    /// The repositories whose name ends so: `app` of `team/app`.
    pub endings: HashMap<&'s str, Vec<usize>>,
    /// The repositories for Docker Hub's own images, which are in `library`, by the name of these.
    pub official: HashMap<&'s str, Vec<usize>>,
    tags: HashMap<(usize, &'s str), &'s str>,
    /// All tags, wherever they are.
    tagged: HashSet<&'s str>,
    /// The digits of all digests, sorted, with their stores.
    digits: Vec<(&'s str, usize, &'s str)>,
}

impl<'s> Known<'s> {
    pub fn of(stocks: impl IntoIterator<Item = &'s Stock>) -> Self {
        let mut known = Self {
            stocks: stocks.into_iter().collect(),
            ids: HashMap::new(),
            repositories: HashMap::new(),
            folders: HashMap::new(),
            endings: HashMap::new(),
            official: HashMap::new(),
            tags: HashMap::new(),
            tagged: HashSet::new(),
            digits: Vec::new(),
        };
        for (place, stock) in known.stocks.iter().enumerate() {
            if stock.store.provider.has_containers() {
                let name = stock.store.name.as_str();
                known.repositories.entry(name).or_default().push(place);
                let cached = name.rsplit_once("/library/").map(|(_, official)| official);
                if let Some(official) = cached.or(name.strip_prefix("library/")) {
                    known.official.entry(official).or_default().push(place);
                }
                for (slash, _) in name.match_indices('/') {
                    known.folders.entry(&name[..slash]).or_default().push(place);
                    known.endings.entry(&name[slash + 1..]).or_default().push(place);
                }
            }
            for image in stock.images() {
                let Some(id) = identity(image) else { continue };
                known.ids.entry(id).or_default().push(place);
                known.tags.extend(image.tags.iter().map(|tag| ((place, tag.as_str()), id)));
                known.tagged.extend(image.tags.iter().map(String::as_str));
                known.digits.extend(id.strip_prefix("sha256:").map(|digits| (digits, place, id)));
            }
        }
        known.digits.sort_unstable();
        known
    }

    pub fn has(&self, place: usize, id: &str) -> bool {
        self.ids.get(id).is_some_and(|places| places.contains(&place))
    }

    /// The repositories of that name in a folder.
    pub fn in_folder(&self, folder: &str, name: &str) -> Vec<usize> {
        self.repositories.get(format!("{folder}/{name}").as_str()).cloned().unwrap_or_default()
    }

    pub fn by_tag(&self, place: usize, tag: &str) -> Option<&'s str> {
        self.tags.get(&(place, tag)).copied()
    }

    /// Whether a word alone may mean an image: it equals a tag, or begins a digest.
    pub fn may_mean(&self, word: &str) -> bool {
        self.tagged.contains(word) || self.beginning(word).next().is_some()
    }

    /// The images of a repository that a word alone may mean.
    pub fn meant(&self, place: usize, word: &str) -> impl Iterator<Item = &'s str> {
        let begins = self.beginning(word).filter(move |known| known.1 == place).map(|known| known.2);
        self.by_tag(place, word).into_iter().chain(begins)
    }

    /// Whether a word alone may mean an image of a repository.
    pub fn names(&self, place: usize, word: &str) -> bool {
        self.meant(place, word).next().is_some()
    }

    /// The digests that begin with a word. Docker shows twelve of their digits, Git seven of a commit.
    fn beginning(&self, word: &str) -> impl Iterator<Item = &(&'s str, usize, &'s str)> {
        let is_digits = (7..=DIGITS).contains(&word.len()) && word.bytes().all(is_hex);
        let first = match is_digits {
            true => self.digits.partition_point(|(digits, ..)| *digits < word),
            false => self.digits.len(),
        };
        self.digits[first..].iter().take_while(move |known| known.0.starts_with(word))
    }
}

pub fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
