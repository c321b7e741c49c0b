//! Names of repositories that a source gives in two halves: a registry with a folder in one place, a name in that folder in
//! another.

use std::collections::{BTreeSet, VecDeque};

use super::{
    known::Known,
    mentions::{Sure, are_near},
};

#[derive(Default)]
pub struct Halves {
    /// The last halves: the number of the word, which half it is, and the word.
    near: VecDeque<(usize, Half, String)>,
    /// Folders that are named as those of a registry, in the whole source.
    folders: BTreeSet<String>,
    /// Names that may be in a folder: in the whole source, and in this file.
    endings: BTreeSet<String>,
    here: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Half {
    Folder,
    Ending,
}

impl Halves {
    /// A folder; returns the repositories whose name it completes. One that is named with its registry belongs to every
    /// name, any other to those that are near.
    pub fn folder(&mut self, known: &Known, folder: &str, sure: bool, number: usize) -> Vec<(usize, Sure)> {
        let join = |ending: &str| known.in_folder(folder, ending);
        let mut found = self.beside(Half::Ending, folder, number, join);
        if sure && self.folders.insert(folder.into()) {
            found.extend(self.endings.iter().flat_map(|ending| join(ending)).map(|place| (place, Sure::Maybe)));
        }
        found
    }

    /// A name in a folder; returns the repositories whose name it completes.
    pub fn ending(&mut self, known: &Known, ending: &str, number: usize) -> Vec<(usize, Sure)> {
        let join = |folder: &str| known.in_folder(folder, ending);
        let mut found = self.beside(Half::Folder, ending, number, join);
        if !self.here.contains(ending) {
            self.here.insert(ending.into());
            self.endings.insert(ending.into());
            found.extend(self.folders.iter().flat_map(|folder| join(folder)).map(|place| (place, Sure::Maybe)));
        }
        found
    }

    /// The repositories that a word and an other half near before it name.
    fn beside(
        &mut self,
        other: Half,
        word: &str,
        number: usize,
        join: impl Fn(&str) -> Vec<usize>,
    ) -> Vec<(usize, Sure)> {
        while self.near.front().is_some_and(|(near, ..)| !are_near(*near, number)) {
            self.near.pop_front();
        }
        let others = self.near.iter().filter(|(_, half, _)| *half == other);
        let found = others.flat_map(|(.., near)| join(near)).map(|place| (place, Sure::Word)).collect();
        let half = if other == Half::Ending { Half::Folder } else { Half::Ending };
        self.near.push_back((number, half, word.into()));
        found
    }

    pub fn end_file(&mut self) {
        self.near.clear();
        self.here.clear();
    }
}
