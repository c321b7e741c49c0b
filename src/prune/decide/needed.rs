//! Keeps what kept images need: what they hold, what is attached to them, and what an index that could not be read may need.

use super::{Deciding, Fate};
use crate::prune::{
    Action, Rule,
    graph::{Bond, called, may_hold},
    shared::taken_from_kept,
};

impl Deciding<'_> {
    /// Keeps images that only follow each other in a circle.
    pub(super) fn keep_circles(&mut self) {
        let mut reached: Vec<bool> = self.places().map(|place| !matches!(self.fates[place], Fate::Open)).collect();
        let from: Vec<usize> = self.places().filter(|place| reached[*place]).collect();
        self.graph.spread(from, |_, owned, _| !std::mem::replace(&mut reached[owned], true));
        for place in self.places().filter(|place| !reached[*place]) {
            let why = "it only belongs to images that belong to it";
            self.fates[place] = Fate::decided(Rule::NotSelected, why);
        }
    }

    /// Keeps what kept images need, and what a kept index that could not be read may need.
    pub(super) fn keep_what_is_needed(&mut self) {
        self.keep_what_belongs();
        while self.keep_what_may_be_needed() || self.keep_what_shares() {
            self.keep_what_belongs();
        }
    }

    /// Keeps images whose deletion would take something along that a kept image uses; tells whether there were any.
    fn keep_what_shares(&mut self) -> bool {
        let taken = taken_from_kept(self.images(), |place| !self.fates[place].is(Action::Keep));
        for (place, why) in &taken {
            self.fates[*place] = Fate::decided(Rule::Needed, why.clone());
        }
        !taken.is_empty()
    }

    /// Keeps everything that a kept index that could not be read may hold; tells whether there was anything.
    fn keep_what_may_be_needed(&mut self) -> bool {
        let Self { graph, fates, stock, .. } = self;
        let images = stock.images();
        let kept = |place: usize| fates[place].is(Action::Keep);
        let Some((index, why)) = graph.newest_unreadable(images, kept) else {
            return false;
        };
        let index = &images[*index];
        let mut any = false;
        for (image, fate) in images.iter().zip(fates.iter_mut()) {
            if !fate.is(Action::Keep) && may_hold(index, image) {
                let why = format!("{} might need it, and could not be read: {why}", called(index));
                *fate = Fate::decided(Rule::Unreadable, why);
                any = true;
            }
        }
        any
    }

    /// Keeps what kept images hold and what is attached to them.
    fn keep_what_belongs(&mut self) {
        let Self { graph, fates, stock, .. } = self;
        let from: Vec<usize> = (0..fates.len()).filter(|place| fates[*place].is(Action::Keep)).collect();
        graph.spread(from, |owner, owned, bond| {
            if fates[owned].is(Action::Keep) {
                return false;
            }
            let owner = called(&stock.images()[owner]);
            fates[owned] = match bond {
                Bond::Held => Fate::decided(Rule::Needed, format!("needed by {owner}")),
                Bond::Attached => Fate::decided(Rule::Attached, format!("attached to {owner}, which is kept")),
            };
            true
        });
    }
}
