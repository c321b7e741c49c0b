//! Presents the plan: an item per image, a line per store, and the header of the JSON document.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use super::{
    copies::{copied, not_known},
    plan::{Made, OfStore, Wanted},
};
use crate::{
    context::Context,
    engine::{Copies, Outcome},
    image::Reference,
    output::{human, safe},
    prune::Choice,
    prune::saved,
    prune::{Action, Reason, Row, Rule, Stock, StorePlan, Totals, date, identity},
    report::{Item, Sizes},
    settings::DeletionFlags,
    store::CacheRule,
};

/// The item of one image.
fn item(stock: &Stock, row: &Row, archive: bool) -> Item {
    let image = &stock.images()[row.image];
    let home = &stock.store;
    let reference: Reference = match &image.id {
        Some(id) => home.image(id.clone()).into(),
        // Without digest and id, an image is always kept.
        None => home.clone().into(),
    };
    let choice = Some(choice(stock, row, archive));
    let mut item = Item { choice, ..Item::found(reference, Arc::clone(image)) };
    if row.action() == Action::Delete {
        item.ends_with(if archive { Outcome::WouldArchive } else { Outcome::WouldDelete });
    }
    item
}

/// The decision for an image.
pub fn choice(stock: &Stock, row: &Row, archive: bool) -> Choice {
    let owners = row.needed_by.iter().filter_map(|owner| identity(&stock.images()[*owner]));
    let owners = owners.chain(row.elsewhere.iter().map(String::as_str));
    let reason = Reason { archive, ..row.reason.clone() };
    Choice { reason, needed_by: owners.map(Into::into).collect(), attached: row.attached }
}

/// The items of a store.
pub fn items<'m>(of: &OfStore<'m>, wanted: impl Fn(&Row) -> bool) -> impl Iterator<Item = Item> + 'm {
    let (stock, copies, archive) = (of.stock, of.copies, of.archive);
    rows(stock, of.plan, wanted).into_iter().map(move |row| {
        let mut item = item(stock, row, archive);
        if let (Copies::In(replicas), Action::Delete) = (copies, row.action()) {
            item.replicated_to.clone_from(replicas);
        }
        item
    })
}

/// Rows as they are shown: deleted before kept, newest first, an index before its children.
pub fn rows<'m>(stock: &Stock, plan: &'m StorePlan, wanted: impl Fn(&Row) -> bool) -> Vec<&'m Row> {
    let mut rows: Vec<&Row> = plan.rows.iter().filter(|row| wanted(row)).collect();
    rows.sort_by_cached_key(|row| {
        let image = &stock.images()[row.image];
        let date = date(image);
        (row.action() == Action::Keep, Reverse(date), !image.is_index())
    });
    rows
}

/// A line beside a plan.
pub enum Aside {
    Warning(String),
    Remark(String),
}

impl Aside {
    pub fn text(&self) -> &str {
        match self {
            Self::Warning(text) | Self::Remark(text) => text,
        }
    }

    pub fn print(&self, context: &Context) {
        match self {
            Self::Warning(text) => context.printer.warn_of(text),
            Self::Remark(text) => context.printer.remark(text),
        }
    }
}

/// Prints how much of a store is deleted and freed, and its warnings.
pub fn total(context: &Context, of: &OfStore) {
    context.printer.remark(&line(of, &of.plan.store.to_string()));
    asides(of).iter().for_each(|aside| aside.print(context));
}

/// What a person should know about a store before a deletion, besides its images.
pub fn asides(of: &OfStore) -> Vec<Aside> {
    let store = &of.plan.store;
    let mut asides: Vec<Aside> = of.plan.warnings.iter().cloned().map(Aside::Warning).collect();
    if of.plan.totals.deleted == 0 {
        return asides;
    }
    asides.extend(match of.copies {
        Copies::In(replicas) => Some(Aside::Warning(copied(store, replicas))),
        Copies::Unknown(error) => Some(Aside::Remark(not_known(store, error))),
        Copies::None => None,
    });
    if let Some(CacheRule { upstream, .. }) = of.cache_rule {
        let text = format!("{store} caches {upstream}: a pull brings back what was deleted");
        asides.push(Aside::Remark(text));
    }
    asides
}

/// How much of a store is deleted, freed and kept. `name` is what the line calls the store.
pub fn line(of: &OfStore, name: &str) -> String {
    let totals = of.plan.totals;
    let mut why: BTreeMap<&str, usize> = BTreeMap::new();
    let kept = of.plan.rows.iter().filter(|row| row.action() == Action::Keep);
    kept.for_each(|row| *why.entry(words(row.reason.rule)).or_default() += 1);
    let mut why: Vec<_> = why.into_iter().collect();
    why.sort_by_key(|(_, count)| Reverse(*count));
    let why: Vec<_> = why.into_iter().map(|(why, count)| format!("{count} {why}")).collect();
    let policy = of.rules.name.as_ref();
    let policy = policy.map(|name| format!("{name}: ")).unwrap_or_default();
    let mut text = match of.archive {
        true => format!("{policy}{name}: archive {} of {} active images", totals.deleted, totals.images),
        false => format!("{policy}{name}: delete {} of {} images", totals.deleted, totals.images),
    };
    if totals.deleted > 0 && !of.archive {
        text.push_str(&format!(", {}", human::freed(&sizes(of))));
    }
    if !why.is_empty() {
        text.push_str(&format!("; keep {} ({})", totals.kept, why.join(", ")));
    }
    safe(&text).into_owned()
}

/// What the plan of a store frees.
fn sizes(of: &OfStore) -> Sizes {
    let is_bound = of.plan.store.provider.has_containers() && !of.exactly;
    Sizes::counted(of.plan.totals.deleted, of.freed.bytes, of.freed.unknown, is_bound)
}

/// What the whole plan frees: the sum of the lines of its stores.
pub fn freed(made: &Made) -> Sizes {
    made.stores().map(|of| sizes(&of)).fold(Sizes::default(), Sizes::plus)
}

/// Why images are kept, in a word or two.
pub fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::Selected | Rule::Follows => "chosen",
        Rule::Protected => "protected",
        Rule::Excluded => "excluded",
        Rule::InUse => "in use",
        Rule::Held => "held by the provider",
        Rule::Policy => "kept by a rule",
        Rule::NotSelected => "not selected",
        Rule::Release => "newest releases",
        Rule::Newest => "newest",
        Rule::Needed => "needed by others",
        Rule::Attached => "attached to others",
        Rule::Orphan => "orphans",
        Rule::Unreadable => "possibly needed by an unreadable index",
    }
}

/// The header of the JSON document.
pub fn head(context: &Context, made: &Made, wanted: &Wanted) -> saved::Head {
    let of_store = |of: OfStore| saved::OfStore {
        store: of.plan.store.to_string(),
        policy: of.rules.name.clone(),
        totals: Totals { unsized_images: of.freed.unknown, ..of.plan.totals },
        freed_bytes: of.freed.bytes,
        freed_exactly: of.exactly && of.freed.unknown == 0,
        protect: of.rules.guarding.protects().map(Into::into).collect(),
        replicated_to: match of.copies {
            Copies::In(replicas) => replicas.clone(),
            Copies::Unknown(_) | Copies::None => Vec::new(),
        },
        replication_unknown: match of.copies {
            Copies::Unknown(error) => Some(error.to_string()),
            Copies::In(_) | Copies::None => None,
        },
        pull_through_cache: of.cache_rule.cloned(),
        warnings: of.plan.warnings.clone(),
    };
    saved::Head {
        made_at: made.at,
        stores: made.stores().map(of_store).collect(),
        failed: made.failed().collect(),
        stops: made.stops().to_vec(),
        in_use: made.lists.clone(),
        usage_checked: wanted.in_use.check,
        asked: Some(wanted.in_use.ask.clone()).filter(|ask| !ask.is_empty()),
        deletion: DeletionFlags { archive: made.archive, ..context.settings.options.deletion },
    }
}
