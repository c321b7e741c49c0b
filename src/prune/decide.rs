//! Decides for each image whether it is deleted, and why. Steps: keep protected, excluded, used and held images; ask the
//! first rule that matches; keep what kept images need; keep the newest; delete the rest with everything that only it needs.

mod needed;
mod newest;
mod outcome;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Action, Clauses, Elsewhere, Evidence, Guards, Plan, Reading, Reason, Rule, Stock,
    clauses::Verdict,
    graph::{Bond, Graph, called},
    inventory::{identity, may_be_index},
    select::{Judgement, Surroundings, short},
};
use crate::store::{Hold, Image};

/// Decides for whole stores. An index that was not read counts as unreadable.
pub fn decide(
    stocks: &[Stock],
    elsewhere: &Elsewhere,
    clauses: &Clauses,
    evidence: &Evidence,
    guards: &Guards,
) -> Plan {
    let deciding = |stock| {
        let mut deciding = Deciding {
            stock,
            clauses,
            elsewhere,
            graph: Graph::of(stock),
            fates: vec![Fate::Open; stock.images().len()],
            ruled: Vec::new(),
        };
        deciding.find_rules();
        deciding.keep_for_itself(evidence, guards);
        deciding.judge();
        deciding.keep_circles();
        deciding.keep_releases();
        deciding.keep_what_is_needed();
        deciding.keep_newest();
        deciding.keep_what_is_needed();
        deciding.delete();
        deciding.plan()
    };
    let mut plan = Plan { stores: stocks.iter().map(deciding).collect(), stops: Vec::new() };
    plan.stops = guards.check(&plan);
    plan
}

#[derive(Clone, Debug)]
enum Fate {
    Open,
    /// A rule chooses it.
    Chosen(String),
    Decided(Reason),
}

impl Fate {
    fn decided(rule: Rule, words: impl Into<String>) -> Self {
        Self::Decided(Reason { rule, words: words.into(), archive: false })
    }

    fn is(&self, action: Action) -> bool {
        matches!(self, Self::Decided(reason) if reason.rule.action() == action)
    }
}

struct Deciding<'a> {
    stock: &'a Stock,
    clauses: &'a Clauses,
    elsewhere: &'a Elsewhere<'a>,
    graph: Graph,
    /// By place.
    fates: Vec<Fate>,
    /// By place, the number of the rule that decides about it, and why that one.
    ruled: Vec<Option<(usize, String)>>,
}

impl Deciding<'_> {
    fn places(&self) -> std::ops::Range<usize> {
        0..self.fates.len()
    }

    fn images(&self) -> &[Arc<Image>] {
        self.stock.images()
    }

    /// Finds the rule that decides about each image.
    fn find_rules(&mut self) {
        let first = |place: usize| {
            let (number, _, why) = self.clauses.first(&self.images()[place], self.around(place))?;
            Some((number, why))
        };
        self.ruled = self.places().map(first).collect();
    }

    fn around(&self, place: usize) -> Surroundings<'_> {
        let orphan_of = self.graph.orphan_of(place);
        Surroundings { provider: self.stock.store.provider, pulled: self.pulled(place), orphan_of }
    }

    fn ruled_by(&self, place: usize, rule: usize) -> bool {
        self.ruled[place].as_ref().is_some_and(|(number, _)| *number == rule)
    }

    /// Keeps what no rule can choose.
    fn keep_for_itself(&mut self, evidence: &Evidence, guards: &Guards) {
        let stock = self.stock;
        for (place, image) in stock.images().iter().enumerate() {
            let own = if let Some(why) = guards.protected(&stock.store, image) {
                Some((Rule::Protected, why))
            } else if let Some(why) = self.clauses.excluded(&stock.store, image) {
                Some((Rule::Excluded, why))
            } else if let Some(why) = evidence.of(&stock.store, image) {
                Some((Rule::InUse, why.to_owned()))
            } else if let Some(why) = held(image) {
                Some((Rule::Held, why))
            } else if let Some(why) = stock.doubt_about(image) {
                Some((Rule::Unreadable, why.to_owned()))
            } else {
                // Without its manifest, an image may be a referrer of a kept one.
                match stock.reading(image) {
                    Some(Reading::Unreadable(why)) if !may_be_index(image) => {
                        Some((Rule::Unreadable, format!("its manifest could not be read: {why}")))
                    }
                    _ => None,
                }
            };
            if let Some((rule, why)) = own {
                self.fates[place] = Fate::decided(rule, why);
            }
        }
        // A host that runs one platform got it through the index, and may pull the index again.
        for (place, image) in stock.images().iter().enumerate() {
            let Some(why) = evidence.of(&stock.store, image) else {
                continue;
            };
            for holder in self.graph.holders(place) {
                if matches!(self.fates[holder], Fate::Open) {
                    let why = format!("it holds {}: {why}", called(image));
                    self.fates[holder] = Fate::decided(Rule::InUse, why);
                }
            }
        }
    }

    /// Asks the rules about every image that does not follow others.
    fn judge(&mut self) {
        for place in self.places() {
            if matches!(self.fates[place], Fate::Open)
                && let Some(fate) = self.fate(place)
            {
                self.fates[place] = fate;
            }
        }
    }

    /// `None` if images of this store decide: those that it follows.
    fn fate(&self, place: usize) -> Option<Fate> {
        if let Some(subject) = self.subjects_elsewhere(place).find(|subject| !self.elsewhere.goes(subject)) {
            let why = format!("attached to {}, which is in another store", short(subject));
            return Some(Fate::decided(Rule::Attached, why));
        }
        if self.graph.follows(place) {
            return None;
        }
        Some(match self.subjects_elsewhere(place).next() {
            Some(subject) => {
                let why = format!("attached to {} in another store, which is deleted", short(subject));
                Fate::decided(Rule::Follows, why)
            }
            None => self.judged(place),
        })
    }

    /// The subjects of an image that only other stores of the run have.
    fn subjects_elsewhere(&self, place: usize) -> impl Iterator<Item = &str> {
        let lost = self.graph.lost(place).iter().map(String::as_str);
        lost.filter(|subject| self.elsewhere.has(subject))
    }

    fn judged(&self, place: usize) -> Fate {
        let image = &self.images()[place];
        if self.stock.is_unlisted(image) {
            return Fate::decided(
                Rule::NotSelected,
                "it has no tag, and rules choose only images that the listing shows",
            );
        }
        let around = self.around(place);
        let Some((number, matches)) = &self.ruled[place] else {
            return match around.orphan_of {
                Some(subject) => {
                    let why = format!("its subject is not in these stores ({}); --orphans selects it", short(subject));
                    Fate::decided(Rule::Orphan, why)
                }
                None => Fate::decided(Rule::NotSelected, "no rule of the policy matches it"),
            };
        };
        let clause = self.clauses.rule(*number);
        match &clause.verdict {
            Verdict::Keep => Fate::decided(Rule::Policy, clause.says(matches)),
            Verdict::Delete(selection) => match selection.judge(image, around) {
                Judgement::Fits(why) => Fate::Chosen(why),
                Judgement::Not(why) => Fate::decided(Rule::NotSelected, clause.says(&why)),
            },
        }
    }

    /// The last pull of an image or of anything that it holds: a platform can be pulled without its index.
    fn pulled(&self, place: usize) -> Option<DateTime<Utc>> {
        let own = self.images()[place].pulled_at?;
        if self.graph.owned(place).is_empty() {
            return Some(own);
        }
        let held = self.graph.held(place).into_iter();
        held.filter_map(|held| self.images()[held].pulled_at).chain([own]).max()
    }

    /// Deletes what was chosen, and what follows only that.
    fn delete(&mut self) {
        let Self { graph, fates, stock, clauses, ruled, .. } = self;
        let mut from = Vec::new();
        for (place, fate) in fates.iter_mut().enumerate() {
            if let (Fate::Chosen(why), Some((rule, _))) = (&fate, &ruled[place]) {
                *fate = Fate::decided(Rule::Selected, clauses.rule(*rule).says(why));
                from.push(place);
            } else if fate.is(Action::Delete) {
                // It follows an image of another store.
                from.push(place);
            }
        }
        graph.spread(from, |owner, owned, bond| {
            let open = matches!(fates[owned], Fate::Open);
            if open {
                let owner = called(&stock.images()[owner]);
                let why = match bond {
                    Bond::Held => format!("only deleted images need it: {owner}"),
                    Bond::Attached => format!("attached to {owner}, which is deleted"),
                };
                fates[owned] = Fate::decided(Rule::Follows, why);
            }
            open
        });
    }
}

fn held(image: &Image) -> Option<String> {
    match &image.hold {
        _ if identity(image).is_none() => Some("the provider gave neither its digest nor its id".into()),
        Some(Hold::Going) => Some("the provider is already deleting it".into()),
        Some(Hold::Refused(error)) => Some(format!("the provider would refuse: {error}")),
        Some(Hold::Unsure) => {
            Some(format!("no document explains its state \"{}\"", image.state.as_deref().unwrap_or_default()))
        }
        None => None,
    }
}
