//! Decides for each image whether it is deleted, and why. Steps: keep protected, excluded, used and held images; ask the
//! selectors; keep what kept images need; keep the newest; delete the rest with everything that only it needs.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    Action, Evidence, Guards, Plan, Reading, Reason, Row, Rule, Selection, Stock, StorePlan, Totals,
    freed::quick,
    graph::{Bond, Graph, called, may_hold},
    inventory::{identity, may_be_index},
    keep::{Rank, ranked, releases},
    select::{Judgement, Surroundings, short},
    shared::taken_from_kept,
};
use crate::store::{Hold, Image};

/// All images of a run by digest or id. A signature may be in another store than its image.
pub fn everywhere<'s>(stocks: impl IntoIterator<Item = &'s Stock>) -> HashSet<&'s str> {
    let stocks = stocks.into_iter();
    stocks.flat_map(|stock| stock.images().iter().filter_map(|image| identity(image))).collect()
}

/// Decides for whole stores. `everywhere` are the images of the run. An index that was not read counts as unreadable.
pub fn decide(
    stocks: &[Stock],
    everywhere: &HashSet<&str>,
    selection: &Selection,
    evidence: &Evidence,
    guards: &Guards,
) -> Plan {
    let deciding = |stock| {
        let mut deciding = Deciding {
            stock,
            selection,
            everywhere,
            graph: Graph::of(stock),
            fates: vec![Fate::Open; stock.images().len()],
        };
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
    /// The selectors match it.
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
    selection: &'a Selection,
    everywhere: &'a HashSet<&'a str>,
    graph: Graph,
    /// By place.
    fates: Vec<Fate>,
}

impl Deciding<'_> {
    fn places(&self) -> std::ops::Range<usize> {
        0..self.fates.len()
    }

    fn images(&self) -> &[Arc<Image>] {
        self.stock.images()
    }

    /// Keeps what no selector can choose.
    fn keep_for_itself(&mut self, evidence: &Evidence, guards: &Guards) {
        let stock = self.stock;
        for (place, image) in stock.images().iter().enumerate() {
            let own = if let Some(why) = guards.protected(&stock.store, image) {
                Some((Rule::Protected, why))
            } else if let Some(why) = self.selection.excluded(&stock.store, image) {
                Some((Rule::Excluded, why))
            } else if let Some(why) = evidence.of(&stock.store, image) {
                Some((Rule::InUse, why.to_owned()))
            } else if let Some(why) = held(image) {
                Some((Rule::Held, why))
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

    /// Asks the selectors about every image that does not follow others.
    fn judge(&mut self) {
        for place in self.places() {
            if !matches!(self.fates[place], Fate::Open) {
                continue;
            }
            let mut lost = self.graph.lost(place).iter();
            if let Some(subject) = lost.find(|subject| self.everywhere.contains(subject.as_str())) {
                let why = format!("attached to {}, which is in another store", short(subject));
                self.fates[place] = Fate::decided(Rule::Attached, why);
            } else if !self.graph.follows(place) {
                self.fates[place] = self.judged(place);
            }
        }
    }

    fn judged(&self, place: usize) -> Fate {
        let image = &self.images()[place];
        let orphan_of = self.graph.orphan_of(place);
        if let Some(subject) = orphan_of
            && !self.selection.orphans
        {
            let why = format!("its subject is not in these stores ({}); --orphans selects it", short(subject));
            return Fate::decided(Rule::Orphan, why);
        }
        let around = Surroundings { provider: self.stock.store.provider, pulled: self.pulled(place), orphan_of };
        match self.selection.judge(image, around) {
            Judgement::Fits(why) => Fate::Chosen(why),
            Judgement::Not(why) => Fate::decided(Rule::NotSelected, why),
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

    /// Keeps images that only follow each other in a circle.
    fn keep_circles(&mut self) {
        let mut reached: Vec<bool> = self.places().map(|place| !matches!(self.fates[place], Fate::Open)).collect();
        let from: Vec<usize> = self.places().filter(|place| reached[*place]).collect();
        self.graph.spread(from, |_, owned, _| !std::mem::replace(&mut reached[owned], true));
        for place in self.places().filter(|place| !reached[*place]) {
            let why = "it only belongs to images that belong to it";
            self.fates[place] = Fate::decided(Rule::NotSelected, why);
        }
    }

    fn keep_releases(&mut self) {
        if !self.selection.keep_semver {
            return;
        }
        let mut releases = releases(self.stock.store.provider, self.images(), |place| !self.graph.is_referrer(place));
        for (place, fate) in self.fates.iter_mut().enumerate() {
            let Fate::Chosen(chosen) = fate else {
                continue;
            };
            match releases.remove(&place) {
                Some(why) => *fate = Fate::decided(Rule::Release, why),
                None => add(chosen, "not a release that --keep-semver keeps"),
            }
        }
    }

    /// Keeps what kept images need, and what a kept index that could not be read may need.
    fn keep_what_is_needed(&mut self) {
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

    /// Keeps the newest candidates. An index and everything that it holds count as one.
    fn keep_newest(&mut self) {
        if self.selection.keep.or(self.selection.keep_untagged).is_none() {
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
        let stock = self.stock;
        for (place, rank, (flag, keep)) in ranked(self.selection, stock.store.provider, stock.images(), going) {
            let Fate::Chosen(why) = &mut self.fates[place] else {
                continue;
            };
            match rank {
                Rank::Beyond(of) => {
                    add(why, &format!("not among the newest {keep} of {of} ({flag} {keep})"));
                }
                Rank::Kept(of) => {
                    let why = format!("among the newest {keep} of {of} candidates ({flag} {keep})");
                    self.fates[place] = Fate::decided(Rule::Newest, why);
                }
                Rank::Undated => {
                    let why = format!("its age is unknown, so {flag} cannot rank it");
                    self.fates[place] = Fate::decided(Rule::Newest, why);
                }
            }
        }
    }

    /// Deletes what was chosen, and what follows only that.
    fn delete(&mut self) {
        let Self { graph, fates, stock, .. } = self;
        let mut from = Vec::new();
        for (place, fate) in fates.iter_mut().enumerate() {
            if let Fate::Chosen(why) = fate {
                *fate = Fate::decided(Rule::Selected, std::mem::take(why));
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

    fn plan(self) -> StorePlan {
        let graph = &self.graph;
        let row = |(place, fate): (usize, Fate)| {
            let reason = match fate {
                Fate::Decided(reason) => reason,
                // Cannot happen: every image was judged or follows one that was. A mistake here must not delete.
                Fate::Open | Fate::Chosen(_) => {
                    Reason { rule: Rule::NotSelected, words: "nothing selects it".into(), archive: false }
                }
            };
            // An index can also be attached to what it holds.
            let owners: BTreeSet<usize> = graph.owners(place).iter().map(|(owner, _)| *owner).collect();
            let attached = graph.owned(place).iter().filter(|(_, bond)| *bond == Bond::Attached);
            Row { image: place, reason, needed_by: owners.into_iter().collect(), attached: attached.count() }
        };
        // One warning per reason, however many indexes have it.
        let mut unreadable: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, why) in graph.unreadable.iter().filter(|(place, _)| self.fates[*place].is(Action::Keep)) {
            unreadable.entry(why).or_default().push(*place);
        }
        let warning = |(why, places): (&str, Vec<usize>)| {
            let first = called(&self.stock.images()[places[0]]);
            let (others, it) = match places.len() - 1 {
                0 => (String::new(), "it"),
                others => (format!(" and {others} more"), "they"),
            };
            format!(
                "{}: {first}{others} could not be read ({why}); what {it} might need is kept",
                self.stock.store.name
            )
        };
        let warnings: Vec<String> = unreadable.into_iter().map(warning).collect();
        let tagged = |place: usize| self.stock.store.provider.has_containers() && graph.is_tagged_image(place);
        let mut plan = StorePlan {
            store: self.stock.store.clone(),
            rows: self.fates.into_iter().enumerate().map(row).collect(),
            totals: Totals::default(),
            warnings,
        };
        let freed = quick(self.stock, &plan);
        let count = |test: &dyn Fn(&Row) -> bool| plan.rows.iter().filter(|row| test(row)).count();
        plan.totals = Totals {
            images: plan.rows.len(),
            deleted: count(&|row| row.action() == Action::Delete),
            kept: count(&|row| row.action() == Action::Keep),
            tagged: count(&|row| tagged(row.image)),
            tagged_kept: count(&|row| tagged(row.image) && row.action() == Action::Keep),
            bytes: freed.bytes,
            unsized_images: freed.unknown,
        };
        plan
    }
}

fn add(why: &mut String, more: &str) {
    if !why.is_empty() {
        why.push_str(", ");
    }
    why.push_str(more);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::Provider,
        prune::sample::{Shelf, cosign, machine, planned, store},
    };

    #[test]
    fn what_the_provider_holds_is_kept_with_its_reason() {
        let error = crate::error::Error::new(crate::error::Kind::Protected, "it is shared");
        let told = Shelf::new()
            .with(1, &["a"], 9, |image| image.hold = Some(Hold::Refused(error)))
            .with(2, &["b"], 9, |image| image.hold = Some(Hold::Going))
            .with(4, &["d"], 9, |image| (image.hold, image.state) = (Some(Hold::Unsure), Some("frozen".into())))
            .image(3, &["c"], 9)
            .prune(&["--older-than", "1d"]);
        assert_eq!(told.deleted(), [3]);
        assert_eq!(told.reason(1), "kept: the provider would refuse: it is shared");
        assert_eq!(told.reason(2), "kept: the provider is already deleting it");
    }

    #[test]
    fn totals_add_up_over_stores() {
        let app =
            Shelf::new().index(1, &["a"], 9, &[2, 3]).image(2, &[], 9).image(3, &["b"], 1).image(4, &["c"], 9).stock();
        let machines =
            Stock::new(store(Provider::Cvm, ""), [machine("img-1", "web", None, 9), machine("img-2", "db", None, 1)]);
        let plan = planned(&[app, machines], &["--older-than", "5d"], &Evidence::default());
        let sum = plan.totals();
        assert_eq!((sum.images, sum.deleted, sum.kept, sum.tagged, sum.tagged_kept), (6, 4, 2, 3, 1));
        assert_eq!((sum.bytes, sum.unsized_images), (200, 1));
    }

    #[test]
    fn images_that_only_belong_to_each_other_are_kept() {
        let told = Shelf::new()
            .image(1, &[&cosign(2, ".sig")], 9)
            .index(2, &[&cosign(1, ".sig")], 9, &[3])
            .image(3, &[], 9)
            .index(4, &["a"], 9, &[3])
            .prune(&["--older-than", "1d"]);
        assert_eq!(told.deleted(), [4]);
    }
}
