//! Puts it together: what becomes of each image, and why, in the order in which it can be explained. First what stays
//! on its own account, then what the selectors leave, then what those need, then the newest of the rest; the others go,
//! with what belongs to them alone.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Evidence, Guards, Selection, Stock, Stop,
    freed::quick,
    graph::{Bond, Graph, called},
    inventory::identity,
    keep::{Rank, newest, releases},
    select::{Judgement, Surroundings, short},
};
use crate::{
    image::{Provider, StoreRef},
    store::{Hold, Image},
};

/// What would happen to every image of some stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub stores: Vec<StorePlan>,
    /// Guards that stop the run; while there is one, nothing may be sent.
    pub stops: Vec<Stop>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StorePlan {
    pub store: StoreRef,
    /// One an image, in the order of [`Stock::images`].
    pub rows: Vec<Row>,
    pub totals: Totals,
    /// What a person should know before agreeing.
    pub warnings: Vec<String>,
}

/// What would become of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Delete,
    Keep,
}

/// Which rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Deleted: every selector fits.
    Selected,
    /// Deleted: it belongs only to images that are deleted.
    Follows,
    /// Kept from here on: a protected name.
    Protected,
    /// It fits an exclusion.
    Excluded,
    /// Something uses it.
    InUse,
    /// The provider would not delete it, or does so already.
    Held,
    /// A selector does not fit.
    NotSelected,
    /// The newest patch of a minor version.
    Release,
    /// Among the newest of those that would go.
    Newest,
    /// A kept index holds it.
    Needed,
    /// It is attached to a kept image.
    Attached,
    /// What it was attached to is gone, and orphans were not asked for.
    Orphan,
    /// An index could not be read that might need it.
    Unreadable,
}

/// What becomes of one image, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in [`Stock::images`].
    pub image: usize,
    pub action: Action,
    pub rule: Rule,
    /// A sentence's worth, for people; of what stays it begins with `kept: `.
    pub reason: String,
    /// Places of the images that it belongs to: the indexes that hold it, and what it is attached to.
    pub needed_by: Vec<usize>,
    /// How many images are attached to it.
    pub attached: usize,
    /// When it goes: everything of one pass can go at once, after the passes before it.
    pub pass: usize,
}

/// The sum of a store's plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    pub images: usize,
    pub deleted: usize,
    pub kept: usize,
    /// Images with a tag that people gave them, before and after.
    pub tagged: usize,
    pub tagged_kept: usize,
    /// The sizes of the images that would go, added up; what is freed is not more.
    pub bytes: u64,
    /// Images that would go and whose size is not known.
    pub unsized_images: usize,
}

impl Plan {
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for Totals { images, deleted, kept, tagged, tagged_kept, bytes, unsized_images } in
            self.stores.iter().map(|of| of.totals)
        {
            sum.images += images;
            sum.deleted += deleted;
            sum.kept += kept;
            sum.tagged += tagged;
            sum.tagged_kept += tagged_kept;
            sum.bytes += bytes;
            sum.unsized_images += unsized_images;
        }
        sum
    }
}

impl StorePlan {
    /// The rows to delete, pass by pass. A row goes only when all that `after` names for it are gone.
    pub fn passes(&self) -> Vec<Vec<&Row>> {
        let mut passes = Vec::new();
        for row in self.rows.iter().filter(|row| row.action == Action::Delete) {
            if passes.len() <= row.pass {
                passes.resize_with(row.pass + 1, Vec::new);
            }
            passes[row.pass].push(row);
        }
        passes
    }

    /// Places of the images that must be gone before this one may be sent. If one of them stays after all, so does this.
    pub fn after<'p>(&'p self, row: &'p Row) -> impl Iterator<Item = usize> + 'p {
        let goes = |place: &usize| self.rows[*place].action == Action::Delete;
        row.needed_by.iter().copied().filter(goes)
    }
}

/// Decides for whole stores. Indexes that nobody read count as unreadable.
pub fn decide(stocks: &[Stock], selection: &Selection, evidence: &Evidence, guards: &Guards) -> Plan {
    // A signature may lie in another repository than what it is about.
    let everywhere: HashSet<&str> = match stocks {
        [_] => HashSet::new(),
        _ => stocks.iter().flat_map(|stock| stock.images().iter().filter_map(identity)).collect(),
    };
    let deciding = |stock| {
        let mut deciding = Deciding {
            stock,
            selection,
            everywhere: &everywhere,
            graph: Graph::of(stock),
            fates: vec![Fate::Open; stock.images().len()],
        };
        deciding.stays_by_itself(evidence, guards);
        deciding.judge();
        deciding.keep_what_nothing_decides();
        deciding.keep_releases();
        deciding.keep_what_belongs();
        deciding.keep_newest();
        deciding.keep_what_belongs();
        deciding.go();
        deciding.keep_if_unreadable();
        deciding.plan()
    };
    let mut plan = Plan {
        stores: stocks.iter().map(deciding).collect(),
        stops: Vec::new(),
    };
    plan.stops = guards.check(&plan);
    plan
}

/// The images that a listing with selectors shows: those that a `prune` would look at closer. Where
/// [`Selection::needs_all`] says so, only a whole listing gives an answer.
pub fn listed(stock: &Stock, selection: &Selection) -> Vec<bool> {
    let graph = Graph::of(stock);
    let (provider, images) = (stock.store.provider, stock.images());
    let fits = |place: usize| {
        let image = &images[place];
        let around = Surroundings { provider, pulled: image.pulled_at, orphan_of: graph.orphan_of(place) };
        let fits = matches!(selection.judge(image, around), Judgement::Fits(_));
        fits && selection.excluded(provider, &stock.store.name, image).is_none()
    };
    let mut shown: Vec<bool> = (0..images.len()).map(fits).collect();
    if selection.keep_semver {
        releases(provider, images).keys().for_each(|place| shown[*place] = false);
    }
    if let Some(keep) = selection.keep {
        let going: Vec<usize> = (0..images.len()).filter(|place| shown[*place]).collect();
        for (place, rank) in newest(provider, images, &going, keep) {
            shown[place] = matches!(rank, Rank::Beyond(_));
        }
    }
    shown
}

#[derive(Clone, Debug)]
enum Fate {
    Open,
    /// The selectors fit it.
    Chosen(String),
    Stays(Rule, String),
    Goes(Rule, String),
}

struct Deciding<'a> {
    stock: &'a Stock,
    selection: &'a Selection,
    everywhere: &'a HashSet<&'a str>,
    graph: Graph,
    /// Of each image, by place.
    fates: Vec<Fate>,
}

impl Deciding<'_> {
    fn places(&self) -> std::ops::Range<usize> {
        0..self.fates.len()
    }

    fn images(&self) -> &[Image] {
        self.stock.images()
    }

    /// What nothing can select.
    fn stays_by_itself(&mut self, evidence: &Evidence, guards: &Guards) {
        let stock = self.stock;
        let (provider, name) = (stock.store.provider, stock.store.name.as_str());
        for (place, image) in stock.images().iter().enumerate() {
            let own = if let Some(why) = guards.protected(provider, name, image) {
                Some((Rule::Protected, why))
            } else if let Some(why) = self.selection.excluded(provider, name, image) {
                Some((Rule::Excluded, why))
            } else if let Some(why) = evidence.of(&stock.store, image) {
                // Whoever runs one platform got there through the index, and may do so again.
                for holder in self.graph.holders(place) {
                    if !matches!(self.fates[holder], Fate::Stays(..)) {
                        let why = format!("it holds {}, which is {why}", called(image));
                        self.fates[holder] = Fate::Stays(Rule::InUse, why);
                    }
                }
                Some((Rule::InUse, why.to_owned()))
            } else {
                held(image).map(|why| (Rule::Held, why))
            };
            if let Some((rule, why)) = own {
                self.fates[place] = Fate::Stays(rule, why);
            }
        }
    }

    /// Asks the selectors about everything that does not follow others.
    fn judge(&mut self) {
        for place in self.places() {
            if !matches!(self.fates[place], Fate::Open) || self.graph.follows(place) {
                continue;
            }
            self.fates[place] = self.judged(place);
        }
        // What follows others is not judged, but may follow something in another store as well.
        for place in self.places() {
            if let (Fate::Open, Some(subject)) = (&self.fates[place], self.graph.lost(place))
                && self.everywhere.contains(subject)
            {
                self.fates[place] = elsewhere(subject);
            }
        }
    }

    fn judged(&self, place: usize) -> Fate {
        let image = &self.images()[place];
        let orphan_of = self.graph.orphan_of(place);
        if let Some(subject) = orphan_of {
            if self.everywhere.contains(subject) {
                return elsewhere(subject);
            }
            if !self.graph.is_named(place) && !self.selection.orphans {
                let why = format!(
                    "what it is attached to is not here ({}); --orphans selects such",
                    short(subject)
                );
                return Fate::Stays(Rule::Orphan, why);
            }
        }
        let around = Surroundings {
            provider: self.stock.store.provider,
            pulled: self.pulled(place),
            orphan_of,
        };
        match self.selection.judge(image, around) {
            Judgement::Fits(why) => Fate::Chosen(why),
            Judgement::Not(why) => Fate::Stays(Rule::NotSelected, why),
        }
    }

    /// The last pull of an image or of anything it holds: a platform may be pulled past its index.
    fn pulled(&self, place: usize) -> Option<chrono::DateTime<chrono::Utc>> {
        let own = self.images()[place].pulled_at?;
        if self.graph.owned(place).is_empty() {
            return Some(own);
        }
        let held = self.graph.held(place).into_iter();
        held.filter_map(|held| self.images()[held].pulled_at).chain([own]).max()
    }

    /// Images that only follow each other, in a circle, follow nothing that was judged.
    fn keep_what_nothing_decides(&mut self) {
        let mut reached: Vec<bool> = self.places().map(|place| !matches!(self.fates[place], Fate::Open)).collect();
        let from: Vec<usize> = self.places().filter(|place| reached[*place]).collect();
        self.graph.spread(from, |_, owned, _| !std::mem::replace(&mut reached[owned], true));
        for place in self.places().filter(|place| !reached[*place]) {
            let why = "it belongs to images that belong to it".to_owned();
            self.fates[place] = Fate::Stays(Rule::NotSelected, why);
        }
    }

    fn keep_releases(&mut self) {
        if !self.selection.keep_semver {
            return;
        }
        for (place, why) in releases(self.stock.store.provider, self.images()) {
            if matches!(self.fates[place], Fate::Chosen(_)) {
                self.fates[place] = Fate::Stays(Rule::Release, why);
            }
        }
    }

    /// What a kept image holds stays, and what is attached to it, and so on.
    fn keep_what_belongs(&mut self) {
        let Self { graph, fates, stock, .. } = self;
        let kept = |fate: &Fate| matches!(fate, Fate::Stays(..));
        let from: Vec<usize> = (0..fates.len()).filter(|place| kept(&fates[*place])).collect();
        graph.spread(from, |owner, owned, bond| {
            if kept(&fates[owned]) {
                return false;
            }
            let owner = called(&stock.images()[owner]);
            fates[owned] = match bond {
                Bond::Held => Fate::Stays(Rule::Needed, format!("needed by {owner}")),
                Bond::Attached => Fate::Stays(Rule::Attached, format!("attached to {owner}, which stays")),
            };
            true
        });
    }

    /// Of what would go now, the newest stay. An index with all that it holds counts as one.
    fn keep_newest(&mut self) {
        let Some(keep) = self.selection.keep else {
            return;
        };
        let chosen = |fate: &Fate| matches!(fate, Fate::Chosen(_));
        let from: Vec<usize> = self.places().filter(|place| chosen(&self.fates[*place])).collect();
        let mut within = vec![false; self.fates.len()];
        self.graph.spread(from.iter().copied(), |_, owned, bond| {
            bond == Bond::Held && !std::mem::replace(&mut within[owned], true)
        });
        let going: Vec<usize> = from.into_iter().filter(|place| !within[*place]).collect();
        for (place, rank) in newest(self.stock.store.provider, self.images(), &going, keep) {
            let Fate::Chosen(why) = &mut self.fates[place] else {
                continue;
            };
            match rank {
                Rank::Beyond(of) => {
                    let comma = if why.is_empty() { "" } else { ", " };
                    *why += &format!("{comma}not among the newest {keep} of {of} (--keep {keep})");
                }
                Rank::Kept(rank, of) => {
                    let why = format!("number {rank} by age of {of} that would go, and --keep {keep} holds the newest");
                    self.fates[place] = Fate::Stays(Rule::Newest, why);
                }
                Rank::Undated => {
                    let why = "its age is not known, so --keep cannot tell whether it is among the newest";
                    self.fates[place] = Fate::Stays(Rule::Newest, why.into());
                }
            }
        }
    }

    /// What was chosen goes, with all that only follows it.
    fn go(&mut self) {
        let Self { graph, fates, stock, .. } = self;
        let mut from = Vec::new();
        for (place, fate) in fates.iter_mut().enumerate() {
            if let Fate::Chosen(why) = fate {
                *fate = Fate::Goes(Rule::Selected, std::mem::take(why));
                from.push(place);
            }
        }
        graph.spread(from, |owner, owned, bond| {
            let open = matches!(fates[owned], Fate::Open);
            if open {
                let owner = called(&stock.images()[owner]);
                let why = match bond {
                    Bond::Held => format!("only images that go need it: {owner}"),
                    Bond::Attached => format!("attached to {owner}, which goes"),
                };
                fates[owned] = Fate::Goes(Rule::Follows, why);
            }
            open
        });
    }

    /// An index that nobody can read may need anything. It stays itself, for nobody can tell what it is.
    fn keep_if_unreadable(&mut self) {
        let Some((index, why)) = self.graph.unreadable.first().cloned() else {
            return;
        };
        let index = called(&self.images()[index]);
        for fate in &mut self.fates {
            if !matches!(fate, Fate::Stays(..)) {
                let why = format!("{index} might need it, and cannot be read: {why}");
                *fate = Fate::Stays(Rule::Unreadable, why);
            }
        }
        for (place, why) in &self.graph.unreadable {
            if matches!(self.fates[*place], Fate::Stays(Rule::Unreadable, _)) {
                let why = format!("nobody can tell what it holds, for it cannot be read: {why}");
                self.fates[*place] = Fate::Stays(Rule::Unreadable, why);
            }
        }
    }

    fn plan(self) -> StorePlan {
        let goes: Vec<bool> = self.fates.iter().map(|fate| matches!(fate, Fate::Goes(..))).collect();
        let passes = self.graph.passes(&goes);
        let graph = &self.graph;
        let row = |(place, fate): (usize, Fate)| {
            let (action, rule, reason) = match fate {
                Fate::Stays(rule, why) => (Action::Keep, rule, format!("kept: {why}")),
                Fate::Goes(rule, why) => (Action::Delete, rule, why),
                // Each image was judged, follows one that was, or is kept for neither; a mistake here must not delete.
                Fate::Open | Fate::Chosen(_) => (Action::Keep, Rule::NotSelected, "kept: nothing decides".into()),
            };
            let attached = graph.owned(place).iter().filter(|(_, bond)| *bond == Bond::Attached);
            Row {
                image: place,
                action,
                rule,
                reason,
                needed_by: graph.owners(place).iter().map(|(owner, _)| *owner).collect(),
                attached: attached.count(),
                pass: passes[place],
            }
        };
        let unreadable = |(place, why): &(usize, String)| {
            let index = called(&self.stock.images()[*place]);
            format!("{}: {index} cannot be read ({why}); nothing that it might need is deleted", self.stock.store.name)
        };
        let warnings = graph.unreadable.iter().map(unreadable).collect();
        let tagged = |place: usize| self.stock.store.provider == Provider::Ecr && graph.is_named(place);
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
            deleted: count(&|row| row.action == Action::Delete),
            kept: count(&|row| row.action == Action::Keep),
            tagged: count(&|row| tagged(row.image)),
            tagged_kept: count(&|row| tagged(row.image) && row.action == Action::Keep),
            bytes: freed.bytes,
            unsized_images: freed.unknown,
        };
        plan
    }
}

fn held(image: &Image) -> Option<String> {
    match &image.hold {
        _ if identity(image).is_none() => Some("the provider named neither its digest nor its id".into()),
        Some(Hold::Going) => Some("already on its way out".into()),
        Some(Hold::Refused(error)) => Some(format!("the provider would refuse: {error}")),
        None => None,
    }
}

fn elsewhere(subject: &str) -> Fate {
    let why = format!("attached to {}, which is in another store", short(subject));
    Fate::Stays(Rule::Attached, why)
}
