//! The plan in words and figures: one item an image, one line a store, and what the JSON document says of it all.

use std::{cmp::Reverse, collections::BTreeMap};

use super::plan::{Made, OfStore, Wanted};
use crate::{
    context::Context,
    engine::Outcome,
    image::Reference,
    output::{human::size, safe},
    prune::Choice,
    prune::saved,
    prune::{Action, Row, Rule, Stock, StorePlan, identity},
    report::Item,
};

/// What would become of one image.
fn item(stock: &Stock, row: &Row) -> Item {
    let image = &stock.images()[row.image];
    let home = &stock.store;
    let reference: Reference = match &image.id {
        Some(id) => home.image(id.clone()).into(),
        // The provider named neither digest nor id; such an image is always kept.
        None => home.clone().into(),
    };
    let choice = Some(choice(stock, row));
    let mut item = Item { choice, ..Item::found(reference, image.clone()) };
    if row.action() == Action::Delete {
        item.ends_with(Outcome::WouldDelete);
    }
    item
}

/// Why an image is deleted or kept.
pub fn choice(stock: &Stock, row: &Row) -> Choice {
    let owners = row.needed_by.iter().filter_map(|owner| identity(&stock.images()[*owner]));
    Choice { reason: row.reason.clone(), needed_by: owners.map(Into::into).collect(), attached: row.attached }
}

/// What would become of each image of a store.
pub fn items<'m>(of: &OfStore<'m>, wanted: impl Fn(&Row) -> bool) -> impl Iterator<Item = Item> + 'm {
    let stock = of.stock;
    rows(stock, of.plan, wanted).into_iter().map(|row| item(stock, row))
}

/// Rows in the order in which they are shown: first what goes, then what stays, newest first, an index before what it
/// holds.
pub fn rows<'m>(stock: &Stock, plan: &'m StorePlan, wanted: impl Fn(&Row) -> bool) -> Vec<&'m Row> {
    let mut rows: Vec<&Row> = plan.rows.iter().filter(|row| wanted(row)).collect();
    rows.sort_by_cached_key(|row| {
        let image = &stock.images()[row.image];
        let date = image.pushed_at.or(image.created_at);
        (row.action() == Action::Keep, Reverse(date), !image.is_index())
    });
    rows
}

/// Says how much of a store goes and what that frees, and what a person should know before agreeing.
pub fn total(context: &Context, of: &OfStore) {
    context.printer.remark(&line(of));
    for warning in &of.plan.warnings {
        context.printer.warn(warning);
    }
}

fn line(of: &OfStore) -> String {
    let totals = of.plan.totals;
    let mut why: BTreeMap<&str, usize> = BTreeMap::new();
    let kept = of.plan.rows.iter().filter(|row| row.action() == Action::Keep);
    kept.for_each(|row| *why.entry(words(row.reason.rule)).or_default() += 1);
    let mut why: Vec<_> = why.into_iter().collect();
    why.sort_by_key(|(_, count)| Reverse(*count));
    let why: Vec<_> = why.into_iter().map(|(why, count)| format!("{count} {why}")).collect();
    let policy = of.rules.name.as_ref();
    let policy = policy.map(|name| format!("{name}: ")).unwrap_or_default();
    let mut text = format!("{policy}{}: {} of {} images go", of.plan.store, totals.deleted, totals.images);
    if totals.deleted > 0 {
        text.push_str(&freed(of));
    }
    if !why.is_empty() {
        text.push_str(&format!("; {} stay ({})", totals.kept, why.join(", ")));
    }
    safe(&text).into_owned()
}

fn freed(of: &OfStore) -> String {
    let bytes = size(of.freed.bytes);
    // Layers that kept images share are not freed.
    let most = if of.plan.store.provider.has_containers() && !of.exactly { "at most " } else { "" };
    match (of.freed.bytes, of.freed.unknown) {
        (0, 0) => " and free nothing, for what they leave behind stays".into(),
        (_, 0) => format!(" and free {most}{bytes}"),
        (0, _) => String::new(),
        (_, unknown) => format!(" and free {most}{bytes}, not counting {unknown} of unknown size"),
    }
}

/// Why images stay, as one word or two of a sum.
fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::Selected | Rule::Follows => "chosen",
        Rule::Protected => "protected",
        Rule::Excluded => "excluded",
        Rule::InUse => "in use",
        Rule::Held => "held by the provider",
        Rule::NotSelected => "not selected",
        Rule::Release => "newest releases",
        Rule::Newest => "newest",
        Rule::Needed => "needed by others",
        Rule::Attached => "attached to others",
        Rule::Orphan => "orphans",
        Rule::Unreadable => "perhaps needed by an unreadable index",
    }
}

/// What the JSON document says of the plan beside its items.
pub fn head(context: &Context, made: &Made, wanted: Wanted) -> saved::Head {
    let of_store = |of: OfStore| saved::OfStore {
        store: of.plan.store.to_string(),
        policy: of.rules.name.clone(),
        totals: of.plan.totals,
        freed_bytes: of.freed.bytes,
        freed_exactly: of.exactly && of.freed.unknown == 0,
        protect: of.rules.guarding.protects().map(Into::into).collect(),
        warnings: of.plan.warnings.clone(),
    };
    saved::Head {
        made_at: made.at,
        stores: made.stores().map(of_store).collect(),
        failed: made.failed().collect(),
        stops: made.stops().to_vec(),
        in_use: made.lists.clone(),
        usage_checked: wanted.in_use.check,
        deletion: context.settings.options.deletion,
    }
}
