//! A long plan of a deletion on one screen: for each store what goes, below what will not end as asked. Pure.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::{
    engine::Outcome,
    image::{ImageId, ImageRef, Reference, StoreRef},
    output::{
        facts::Facts,
        human::{self, count},
        note,
        sketch::{Line, Section},
    },
    prune::{Action, short},
    report::{Item, Sizes},
    words,
};

/// The sections of a plan: of each store what needs a look, by its outcome; then of each store what goes.
pub fn sections(items: &[Item]) -> Vec<Section<'_>> {
    let stores: HashSet<&StoreRef> = items.iter().map(|item| item.reference.store()).collect();
    let mut others: IndexMap<(&StoreRef, Outcome), Vec<&Item>> = IndexMap::new();
    let mut going: IndexMap<&StoreRef, Vec<&Item>> = IndexMap::new();
    for item in items {
        let store = item.reference.store();
        match item.outcome.unwrap_or(Outcome::Unknown) {
            Outcome::WouldDelete | Outcome::WouldUntag | Outcome::WouldArchive => {
                going.entry(store).or_default().push(item);
            }
            outcome => others.entry((store, outcome)).or_default().push(item),
        }
    }
    let several = stores.len() > 1;
    let others = others.into_iter().map(|((store, outcome), items)| not_as_asked(store, several, outcome, items));
    others.chain(going.into_iter().map(|(store, items)| goes(store, items))).collect()
}

/// Images with an outcome that nobody asked for.
fn not_as_asked<'i>(store: &StoreRef, several: bool, outcome: Outcome, items: Vec<&'i Item>) -> Section<'i> {
    let place = if several { format!("{store}: ") } else { String::new() };
    let head = format!("{place}{}: {}", outcome.word().replace('_', " "), count(items.len(), "image"));
    let facts = Facts::of(items.iter().map(|item| note(item)));
    let why = facts.common.join(", ");
    let head = if why.is_empty() { head } else { format!("{head}: {why}") };
    let look = outcome != Outcome::AlreadyArchived;
    section(Action::Keep, look, vec![head.clone()], head, facts, items)
}

fn goes<'i>(store: &StoreRef, items: Vec<&'i Item>) -> Section<'i> {
    let of = |outcome| items.iter().filter(move |item| item.outcome == Some(outcome));
    let mut sizes = Sizes::default();
    of(Outcome::WouldDelete).for_each(|item| sizes.add(item));
    let (tags, archived) = (of(Outcome::WouldUntag).count(), of(Outcome::WouldArchive).count());
    let mut what = Vec::new();
    if sizes.images > 0 {
        what.push(format!("delete {}, {}", count(sizes.images, "image"), human::freed(&sizes)));
    }
    if archived > 0 {
        what.push(format!("archive {}", count(archived, "image")));
    }
    if tags > 0 {
        what.push(format!("remove {} from images that stay", count(tags, "tag")));
    }
    let total = what.join("; ");
    let facts = Facts::of(items.iter().map(|item| note(item)));
    let mut head = vec![format!("{store}: {total}")];
    if !facts.common.is_empty() {
        head.push(facts.common.join(", "));
    }
    let name = if store.name.is_empty() { store.to_string() } else { store.name.to_string() };
    let action = if archived > 0 { Action::Archive } else { Action::Delete };
    section(action, false, head, format!("{name}: {total}"), facts, items)
}

fn section<'i>(
    action: Action,
    look: bool,
    head: Vec<String>,
    short: String,
    facts: Facts,
    items: Vec<&'i Item>,
) -> Section<'i> {
    let (images, lines) = (items.len(), items.len());
    let line = move |number: usize| {
        let item = items[number];
        let untags = item.outcome == Some(Outcome::WouldUntag);
        let what = match (untags, item.image.is_index()) {
            (true, _) => "the tag alone",
            (false, true) => "index",
            (false, false) => "",
        };
        let bytes = item.image.bytes.filter(|_| what.is_empty());
        Line { name: called(item), what: what.into(), bytes, reason: facts.rest(&note(item)), images: 1 }
    };
    Section { action, look, head, short, images, lines, line: Box::new(line) }
}

/// How a line names an image: by the tag that was named, by its tags, by id and name, or by the start of its digest.
fn called(item: &Item) -> String {
    let Reference::Image(ImageRef { id, .. }) = &item.reference else { return item.reference.to_string() };
    match (id, &item.image.name) {
        (ImageId::Tag(tag) | ImageId::TagAt(tag, _), _) => tag.clone(),
        (ImageId::Digest(_), _) if !item.image.tags.is_empty() => words::some(&item.image.tags),
        (ImageId::Digest(digest), _) => {
            let digest = digest.to_string();
            short(&digest).strip_prefix("sha256:").map_or(digest.clone(), |hex| format!("@{hex}"))
        }
        (ImageId::Named(id), Some(name)) => format!("{id} ({name})"),
        (ImageId::Named(id), None) => id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Verdict,
        error::{Error, Kind},
        output::sketch::{Screen, text},
        store::Image,
    };

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    fn item(reference: &str, outcome: Outcome) -> Item {
        let image = Image { bytes: Some(1 << 30), ..Image::default() };
        let mut item = Item::found(reference.parse::<ImageRef>().unwrap(), image);
        item.ends_with(outcome);
        item
    }

    fn shown(items: &[Item], width: usize, height: usize) -> String {
        text(&sections(items), Screen { width, height, color: false }).0
    }

    #[test]
    fn each_store_has_its_sum_and_what_does_not_end_as_asked_stands_above() {
        let mut items: Vec<Item> =
            (0..300).map(|n| item(&format!("{HOST}/team/app:v{n}"), Outcome::WouldDelete)).collect();
        items.extend((0..3).map(|n| item(&format!("{HOST}/team/app:t{n}"), Outcome::WouldUntag)));
        items.extend((0..40).map(|n| {
            let mut item = item(&format!("cvm://ap-guangzhou/img-{n}"), Outcome::WouldRefuse);
            item.error = Verdict::failed(Error::new(Kind::InUse, "an instance uses it")).error;
            item
        }));
        items.push(item("cvm://ap-guangzhou/img-gone", Outcome::Missing));
        items.push(item("cvm://ap-guangzhou/img-old", Outcome::WouldDelete));
        let text = shown(&items, 140, 30);
        assert!(text.lines().count() <= 30 && text.lines().all(|line| line.chars().count() <= 140), "{text}");
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in\n{text}"));
        let refused = at("cvm://ap-guangzhou/: would refuse: 40 images: an instance uses it");
        let missing = at("cvm://ap-guangzhou/: missing: 1 image");
        let sum = at("/team/app: delete 300 images, which frees at most 300 GiB; remove 3 tags from images that stay");
        assert!(refused < missing && missing < sum && sum < at("  t2"), "{text}");
        at("the tag alone");
        at("cvm://ap-guangzhou/: delete 1 image, which frees 1.0 GiB");
        at("more images");
    }

    #[test]
    fn nothing_that_needs_a_look_is_left_uncounted() {
        let of = |outcome, name: &str, images: usize| {
            (0..images).map(move |n| item(&format!("{HOST}/{name}:v{n}"), outcome)).collect::<Vec<_>>()
        };
        let items: Vec<Item> = (0..40)
            .flat_map(|store| {
                let name = format!("team/{store}");
                [of(Outcome::WouldDelete, &name, 50), of(Outcome::Missing, &name, 1 + store)].concat()
            })
            .collect();
        let text = shown(&items, 100, 30);
        assert!(text.lines().count() <= 30, "{text}");
        let number = |line: &str, before: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| word.starts_with(before)).unwrap();
            words[at - 1].parse::<usize>().unwrap()
        };
        // Heads with their counts, and the count of the groups without a place.
        let heads = text.lines().filter(|line| !line.starts_with("  "));
        assert_eq!(heads.map(|line| number(line, "image")).sum::<usize>(), items.len(), "{text}");
    }

    #[test]
    fn an_image_is_called_as_it_was_named() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let called_of =
            |reference: &str, image: Image| called(&Item::found(reference.parse::<ImageRef>().unwrap(), image));
        let tagged = || Image { tags: vec!["v1".into(), "v2".into()], ..Image::default() };
        let named = || Image { name: Some("web".into()), ..Image::default() };
        assert_eq!(called_of(&format!("{HOST}/app:v1@{digest}"), tagged()), "v1");
        assert_eq!(called_of(&format!("{HOST}/app@{digest}"), tagged()), "v1, v2");
        assert_eq!(called_of(&format!("{HOST}/app@{digest}"), Image::default()), "@abababababab");
        assert_eq!(called_of("cvm://ap-guangzhou/img-1", named()), "img-1 (web)");
        assert_eq!(called_of("cvm://ap-guangzhou/img-1", Image::default()), "img-1");
    }
}
