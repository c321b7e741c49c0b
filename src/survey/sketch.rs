//! Presents the plan on one screen: its images in groups, what is kept before what is deleted.

use std::collections::{BTreeMap, HashMap};

use super::{
    plan::OfStore,
    show::{line, words},
};
use crate::{
    output::{
        facts::Facts,
        human::count,
        sketch::{Line, Section, what},
    },
    prune::{Action, Group, Rule, Stock, groups, identity, own_bytes, short},
    store::Image,
    words,
};

/// The sections of a plan: of each store the kept images by reason, if wanted; then of each store the deletions.
pub fn sections<'m>(stores: &[OfStore<'m>], kept: bool) -> Vec<Section<'m>> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    stores.iter().for_each(|of| *uses.entry(&of.plan.store.name).or_default() += 1);
    let (mut before, mut last) = (Vec::new(), Vec::new());
    for of in stores {
        let store = &of.plan.store;
        let name = match uses[store.name.as_ref() as &str] {
            1 if !store.name.is_empty() => store.name.to_string(),
            _ => store.to_string(),
        };
        let (keeps, deletes): (Vec<Group>, Vec<Group>) =
            groups(of.stock, of.plan).into_iter().partition(|group| of.plan.rows[group.head].action() == Action::Keep);
        if kept {
            let name = (stores.len() > 1).then_some(&*name);
            before.extend(by_rule(of, keeps).into_iter().map(|(rule, groups)| keeping(of, name, rule, groups)));
        }
        last.push(deleting(of, &name, deletes));
    }
    before.extend(last);
    before
}

fn by_rule(of: &OfStore, groups: Vec<Group>) -> Vec<(Rule, Vec<Group>)> {
    let mut rules: BTreeMap<&str, (Rule, Vec<Group>)> = BTreeMap::new();
    for group in groups {
        let rule = of.plan.rows[group.head].reason.rule;
        rules.entry(words(rule)).or_insert_with(|| (rule, Vec::new())).1.push(group);
    }
    let mut rules: Vec<_> = rules.into_values().collect();
    rules.sort_by_key(|(_, groups)| std::cmp::Reverse(images(groups)));
    rules
}

fn keeping<'m>(of: &OfStore<'m>, name: Option<&str>, rule: Rule, groups: Vec<Group>) -> Section<'m> {
    let facts = facts(of, &groups);
    let why: Vec<_> = std::iter::once(words(rule)).chain(facts.common.iter().map(String::as_str)).collect();
    let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let head = format!("{name}keep {}: {}", count(images(&groups), "image"), why.join(", "));
    section(of, Action::Keep, vec![head.clone()], head, facts, groups)
}

fn deleting<'m>(of: &OfStore<'m>, name: &str, groups: Vec<Group>) -> Section<'m> {
    let facts = facts(of, &groups);
    let mut head = vec![line(of, &of.plan.store.to_string())];
    if !facts.common.is_empty() {
        let verb = if of.archive { "archive" } else { "delete" };
        head.push(format!("{verb} {}: {}", count(images(&groups), "image"), facts.common.join(", ")));
    }
    let action = if of.archive { Action::Archive } else { Action::Delete };
    section(of, action, head, line(of, name), facts, groups)
}

fn section<'m>(
    of: &OfStore<'m>,
    action: Action,
    head: Vec<String>,
    short: String,
    facts: Facts,
    groups: Vec<Group>,
) -> Section<'m> {
    let (stock, plan) = (of.stock, of.plan);
    let line = move |number: usize, groups: &[Group]| {
        let group = &groups[number];
        let sizes = group.places().map(|place| own_bytes(stock, &stock.images()[place]));
        Line {
            name: called(stock, &stock.images()[group.head]),
            what: what(group),
            bytes: sizes.sum::<Option<u64>>(),
            reason: facts.rest(&plan.rows[group.head].reason.words),
            images: group.images(),
        }
    };
    Section {
        action,
        look: false,
        head,
        short,
        images: images(&groups),
        lines: groups.len(),
        line: Box::new(move |number| line(number, &groups)),
    }
}

fn facts(of: &OfStore, groups: &[Group]) -> Facts {
    Facts::of(groups.iter().map(|group| &*of.plan.rows[group.head].reason.words))
}

fn images(groups: &[Group]) -> usize {
    groups.iter().map(Group::images).sum()
}

/// How a line names an image: by tags, by id and name, or by the start of its digest, as in `REPOSITORY@DIGEST`.
fn called(stock: &Stock, image: &Image) -> String {
    let id = identity(image).map(short).unwrap_or_default();
    let id = id.strip_prefix("sha256:").map_or(id.to_owned(), |hex| format!("@{hex}"));
    match &image.name {
        _ if stock.store.provider.has_containers() && !image.tags.is_empty() => words::some(&image.tags),
        Some(name) => format!("{id} ({name})"),
        None => id,
    }
}
