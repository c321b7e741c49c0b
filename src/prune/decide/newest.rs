//! Keeps the newest images that rules would delete (`--keep` and its like), and the newest patches (`--keep-semver`). Each
//! counts within its rule.

use super::{Deciding, Fate};
use crate::prune::{
    Rule, Selection,
    clauses::Clause,
    graph::{Bond, called},
    keep::{Rank, ranked, releases},
};

impl Deciding<'_> {
    /// Keeps the newest patches among the images of each rule that says so.
    pub(super) fn keep_releases(&mut self) {
        for (number, clause) in self.clauses.all() {
            if !clause.selection().is_some_and(|selection| selection.keep_semver) {
                continue;
            }
            let counts = |place: usize| self.ruled_by(place, number) && !self.graph.is_referrer(place);
            let mut releases = releases(self.stock.store.provider, self.images(), counts);
            for place in self.places().filter(|place| self.ruled_by(*place, number)).collect::<Vec<_>>() {
                let Fate::Chosen(chosen) = &mut self.fates[place] else {
                    continue;
                };
                match releases.remove(&place) {
                    Some(why) => self.fates[place] = Fate::decided(Rule::Release, clause.says(&why)),
                    None => add(chosen, "not a release that --keep-semver keeps"),
                }
            }
        }
    }

    /// Keeps the newest candidates of each rule. An index and everything that it holds count as one.
    pub(super) fn keep_newest(&mut self) {
        let keeps = |clause: &Clause| clause.selection().is_some_and(Selection::keeps_newest);
        if !self.clauses.all().any(|(_, clause)| keeps(clause)) {
            return;
        }
        let chosen = |fate: &Fate| matches!(fate, Fate::Chosen(_));
        let from: Vec<usize> = self.places().filter(|place| chosen(&self.fates[*place])).collect();
        let mut within = vec![None; self.fates.len()];
        self.graph.spread(from.iter().copied(), |owner, owned, bond| {
            let new = bond == Bond::Held && within[owned].is_none();
            if new {
                within[owned] = Some(owner);
            }
            new
        });
        for (place, owner) in within.iter().enumerate() {
            if let (Some(owner), Fate::Chosen(why)) = (owner, &mut self.fates[place]) {
                add(why, &format!("held by {}, which is deleted", called(&self.stock.images()[*owner])));
            }
        }
        let counts = |place: &usize| within[*place].is_none() && !self.graph.is_referrer(*place);
        let going: Vec<usize> = from.into_iter().filter(counts).collect();
        for (number, clause) in self.clauses.all() {
            let Some(selection) = clause.selection() else { continue };
            let going = going.iter().copied().filter(|place| self.ruled_by(*place, number)).collect();
            self.keep_newest_of(clause, selection, going);
        }
    }

    /// Keeps the newest candidates of one rule.
    fn keep_newest_of(&mut self, clause: &Clause, selection: &Selection, going: Vec<usize>) {
        let stock = self.stock;
        for (place, rank, (flag, keep)) in ranked(selection, stock.store.provider, stock.images(), going) {
            let Fate::Chosen(why) = &mut self.fates[place] else {
                continue;
            };
            match rank {
                Rank::Beyond(of) => {
                    add(why, &format!("not among the newest {keep} of {of} ({flag} {keep})"));
                }
                Rank::Kept(of) => {
                    let why = format!("among the newest {keep} of {of} candidates ({flag} {keep})");
                    self.fates[place] = Fate::decided(Rule::Newest, clause.says(&why));
                }
                Rank::Undated => {
                    let why = format!("its age is unknown, so {flag} cannot rank it");
                    self.fates[place] = Fate::decided(Rule::Newest, clause.says(&why));
                }
            }
        }
    }
}

fn add(why: &mut String, more: &str) {
    if !why.is_empty() {
        why.push_str(", ");
    }
    why.push_str(more);
}
