//! Property tests of plans, on random repositories and flags. The checker knows the contents of every manifest and works
//! with sets of numbers; it shares no code with `graph`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{
    Action, Evidence, GuardArgs, Guards, Known, Row, Rule, Saved, Stock, recheck,
    sample::{Shelf, Told, compiled, cosign, digest, now},
    scan,
};
use crate::{image::Provider, store::Image};

const TAGS: [&str; 10] =
    ["latest", "prod-1", "mine", "pr-1", "pr-2", "pr-3", "v1.0.0", "v1.0.1", "v1.1.0", "v1.1.1-rc1"];

/// An image with its true contents. Its number is its place. Like a digest, it can only refer to earlier images.
#[derive(Clone, Debug, Default)]
struct Truth {
    children: BTreeSet<usize>,
    index: bool,
    unreadable: bool,
    subject: Option<usize>,
    /// The subject of its digest tag. Tags can be set at any time, so it may be a later image.
    about: Option<usize>,
    tags: Vec<&'static str>,
    days: i64,
    pulled: Option<i64>,
    used: bool,
}

type World = Vec<Truth>;

fn world() -> impl Strategy<Value = World> {
    let image = (
        prop_oneof![Just(false), Just(true)],
        proptest::collection::btree_set(0..12usize, 0..4),
        proptest::option::weighted(0.2, 0..14usize),
        proptest::option::weighted(0.2, 0..14usize),
        0..100i64,
        proptest::option::of(0..100i64),
        proptest::bool::weighted(0.05),
        proptest::bool::weighted(0.02),
    );
    let owners = proptest::collection::vec(proptest::option::of(0..12usize), TAGS.len());
    (proptest::collection::vec(image, 1..12), owners).prop_map(|(images, owners)| {
        let count = images.len();
        let mut world: World = Vec::new();
        for (number, (index, children, subject, about, days, pulled, used, unreadable)) in
            images.into_iter().enumerate()
        {
            // A registry takes an index after its images; what can be read is held to its digests alone.
            let in_time =
                |child: &usize| !(index && unreadable) || world.get(*child).is_none_or(|image| image.days >= days);
            world.push(Truth {
                children: children
                    .into_iter()
                    .filter(|_| index)
                    .filter_map(|child| earlier(child, number, count))
                    .filter(in_time)
                    .collect(),
                index,
                unreadable: index && unreadable,
                subject: subject.and_then(|subject| earlier(subject, number, count)),
                about,
                tags: Vec::new(),
                days,
                pulled,
                used,
            });
        }
        for (tag, owner) in TAGS.iter().zip(owners) {
            if let Some(image) = owner.and_then(|owner| world.get_mut(owner)) {
                image.tags.push(tag);
            }
        }
        world
    })
}

/// A number that an image can refer to: an earlier image's, or that of an image that no longer exists.
fn earlier(number: usize, than: usize, count: usize) -> Option<usize> {
    match number {
        gone if gone >= count => Some(gone + 100),
        earlier => Some(earlier).filter(|earlier| *earlier < than),
    }
}

fn flags() -> impl Strategy<Value = Vec<&'static str>> {
    let groups: [&[&str]; 12] = [
        &["--older-than", "30d"],
        &["--not-pulled-for", "20d"],
        &["--untagged"],
        &["--tag", "pr-*"],
        &["--tag", "*", "--any-tag"],
        &["--tag-regex", "^(pr|v1)"],
        &["--exclude", "mine"],
        &["--keep", "1"],
        &["--keep", "3"],
        &["--keep-semver"],
        &["--orphans"],
        &["--no-default-protect"],
    ];
    proptest::collection::btree_set(0..groups.len(), 1..5).prop_map(move |chosen| {
        let mut flags = Vec::new();
        for group in chosen {
            // Flags that exclude each other.
            let is = |flag: &&str| flags.contains(flag);
            let first = groups[group][0];
            if is(&first) || first.starts_with("--tag") && is(&"--untagged") {
                continue;
            }
            flags.extend(groups[group]);
        }
        flags
    })
}

fn shelf(world: &World) -> Shelf {
    let mut shelf = Shelf::new();
    for (number, image) in world.iter().enumerate() {
        let machine = image.about.map(|about| cosign(about, [".sig", "", ".att"][number % 3]));
        let tags: Vec<&str> = image.tags.iter().copied().chain(machine.as_deref()).collect();
        let children: Vec<usize> = image.children.iter().copied().collect();
        shelf = match (image.index, image.unreadable) {
            (_, true) => shelf.unreadable(number, &tags, image.days),
            (true, _) => shelf.index(number, &tags, image.days, &children),
            (false, _) => shelf.image(number, &tags, image.days),
        };
        shelf = shelf.changed(number, |listed| {
            listed.subject = image.subject.map(digest);
            listed.pulled_at = image.pulled.map(|days| now() - TimeDelta::days(days));
        });
    }
    shelf
}

fn used(world: &World) -> Evidence {
    let text: String =
        world.iter().enumerate().filter(|(_, image)| image.used).map(|(number, _)| digest(number) + "\n").collect();
    let stocks = [shelf(world).stock()];
    let mut evidence = Evidence::default();
    scan("used.txt", text.as_bytes(), &Known::of(&stocks), &mut evidence).unwrap();
    evidence
}

/// Everything that a registry must have so that an image can be pulled on every platform.
fn needs(world: &World, number: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::from([number]);
    for child in world.get(number).map(|image| image.children.clone()).unwrap_or_default() {
        all.append(&mut needs(world, child));
    }
    all
}

fn is_complete(world: &World, there: &BTreeSet<usize>, number: usize) -> bool {
    needs(world, number).is_subset(there)
}

fn attached(world: &World, number: usize) -> BTreeSet<usize> {
    let about = |image: &Truth| image.subject == Some(number) || image.about == Some(number);
    (0..world.len()).filter(|other| *other != number && about(&world[*other])).collect()
}

/// Whether flags select an image judged by itself.
fn selected(world: &World, number: usize, flags: &[&str]) -> bool {
    let image = &world[number];
    let has = |flag: &str| flags.contains(&flag);
    let mut tags: Vec<String> = image.tags.iter().map(|tag| tag.to_string()).collect();
    tags.extend(image.about.map(|about| cosign(about, "")));
    let by_tags = |fits: &dyn Fn(&str) -> bool| match has("--any-tag") {
        true => tags.iter().any(|tag| fits(tag)),
        false => !tags.is_empty() && tags.iter().all(|tag| fits(tag)),
    };
    let globs: Vec<&str> = flags.windows(2).filter(|pair| pair[0] == "--tag").map(|pair| pair[1]).collect();
    (!has("--older-than") || image.days > 30)
        && (!has("--not-pulled-for") || image.pulled.is_some_and(|days| days > 20))
        && (!has("--untagged") || tags.is_empty())
        && (globs.is_empty() || by_tags(&|tag| globs.contains(&"*") || tag.starts_with("pr-")))
        && (!has("--tag-regex") || by_tags(&|tag| tag.starts_with("pr") || tag.starts_with("v1")))
}

fn is_referrer(image: &Truth) -> bool {
    image.subject.is_some() || image.about.is_some()
}

fn forbidden(image: &Truth, flags: &[&str]) -> bool {
    let protected =
        !flags.contains(&"--no-default-protect") && image.tags.iter().any(|tag| ["latest", "prod-1"].contains(tag));
    let release = flags.contains(&"--keep-semver") && newest_patch(image) && !is_referrer(image);
    protected || release || image.used || flags.contains(&"--exclude") && image.tags.contains(&"mine")
}

fn newest_patch(image: &Truth) -> bool {
    // Which of the two 1.0 patches is the newest depends on the repository; v1.0.0 is never the only reason.
    image.tags.iter().any(|tag| ["v1.0.1", "v1.1.0"].contains(tag))
}

fn number_of(told: &Told, row: &Row) -> usize {
    let digest = told.stock.images()[row.image].digest.as_deref().unwrap();
    usize::from_str_radix(&digest[7..], 16).unwrap()
}

fn check(world: &World, flags: &[&str], told: &Told) {
    let rows: BTreeMap<usize, &Row> = told.plan.stores[0].rows.iter().map(|row| (number_of(told, row), row)).collect();
    let all: BTreeSet<usize> = (0..world.len()).collect();
    assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), all, "one row per image");
    let goes: BTreeSet<usize> = told.deleted().into_iter().collect();
    let stays: BTreeSet<usize> = &all - &goes;

    for number in &stays {
        let image = rows[number];
        assert!(image.action() == Action::Keep && image.reason.words.len() > 2, "{image:?}");
        if is_complete(world, &all, *number) {
            assert!(is_complete(world, &stays, *number), "{number} was complete, is kept, and is no longer complete");
        }
        let lost = &needs(world, *number) & &goes;
        assert_eq!(lost, BTreeSet::new(), "{number} is kept, but loses something that it needs");
        let gone = &attached(world, *number) & &goes;
        assert_eq!(gone, BTreeSet::new(), "{number} is kept, but a referrer of it is deleted");
    }
    for number in &goes {
        let image = &world[*number];
        assert!(!forbidden(image, flags), "{number} must be kept");
        let owners: BTreeSet<usize> = all
            .iter()
            .copied()
            .filter(|owner| world[*owner].children.contains(number) || attached(world, *owner).contains(number))
            .collect();
        match rows[number].reason.rule {
            Rule::Selected => {
                assert!(selected(world, *number, flags), "{number} is not selected");
                let is_known = |owner: &usize| !world[*owner].unreadable || attached(world, *owner).contains(number);
                let follows = owners.iter().any(is_known);
                assert!(!image.tags.is_empty() || !follows, "{number} follows others");
            }
            Rule::Follows => assert!(
                (image.tags.is_empty() || is_referrer(image)) && !owners.is_empty() && owners.is_subset(&goes),
                "{number} follows {owners:?}"
            ),
            other => panic!("{other:?} deletes"),
        }
    }
    check_keep(world, flags, &rows);
}

/// After every pass, each remaining image that was complete is still complete.
fn check_order(world: &World, pass_of: &BTreeMap<usize, usize>) {
    let mut there: BTreeSet<usize> = (0..world.len()).collect();
    let complete: Vec<usize> = there.iter().copied().filter(|number| is_complete(world, &there, *number)).collect();
    let passes: BTreeSet<usize> = pass_of.values().copied().collect();
    for pass in passes {
        // Within a pass the order is open, so no single deletion may harm an image of the same pass.
        let now: BTreeSet<usize> = pass_of.iter().filter(|(_, of)| **of == pass).map(|(number, _)| *number).collect();
        for number in &now {
            let others = there.iter().filter(|other| *other != number);
            // An index that is attached to what it holds goes with it in any order.
            let circle = |other: &usize| world[*other].about == Some(*number) || world[*other].subject == Some(*number);
            let needs_it = |other: &usize| complete.contains(other) && needs(world, *other).contains(number);
            let hurt = others.clone().find(|other| needs_it(other) && !circle(other));
            assert_eq!(hurt, None, "{number} is deleted before the index that holds it");
        }
        there = &there - &now;
    }
}

fn check_keep(world: &World, flags: &[&str], rows: &BTreeMap<usize, &Row>) {
    let Some(keep) = flags.windows(2).find(|pair| pair[0] == "--keep").map(|pair| pair[1].parse::<usize>().unwrap())
    else {
        return;
    };
    let of = |rule: Rule| {
        rows.iter().filter(move |(_, row)| row.reason.rule == rule).map(|(number, _)| *number).collect::<Vec<_>>()
    };
    let (kept, goes) = (of(Rule::Newest), of(Rule::Selected));
    assert!(kept.len() <= keep);
    // It counts tagged images, and with --untagged untagged ones.
    let untagged = flags.contains(&"--untagged");
    let image = |number: &&usize| !is_referrer(&world[**number]) && world[**number].tags.is_empty() == untagged;
    let alone = |number: &&usize| !goes.iter().any(|other| other != *number && needs(world, *other).contains(number));
    for number in goes.iter().filter(image).filter(alone) {
        assert_eq!(kept.len(), keep, "fewer than --keep are kept, but {number} is deleted");
        assert!(
            kept.iter().all(|kept| world[*kept].days <= world[*number].days),
            "{number} is newer than an image that --keep keeps"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_plan_leaves_is_complete(world in world(), flags in flags()) {
        let told = shelf(&world).prune_but(&flags, &used(&world));
        check(&world, &flags, &told);
    }

    /// So its indexes need not be read.
    #[test]
    fn where_no_image_may_be_chosen_nothing_is_deleted(world in world(), flags in flags()) {
        let told = shelf(&world).prune_but(&flags, &used(&world));
        let (selection, _) = compiled(&flags);
        let may = |image: &Image| selection.may_choose(image, Provider::Ecr);
        if !told.stock.images().iter().any(|image| may(image)) {
            prop_assert_eq!(told.deleted(), Vec::<usize>::new());
        }
    }

    /// So evidence is only asked for where something would be deleted.
    #[test]
    fn evidence_never_adds_deletions(world in world(), flags in flags()) {
        let told = shelf(&world).prune_but(&flags, &Evidence::default());
        if told.deleted().is_empty() {
            let more = shelf(&world).prune_but(&flags, &used(&world));
            prop_assert_eq!(more.deleted(), Vec::<usize>::new());
        }
    }

    #[test]
    fn a_plan_for_an_unchanged_store_deletes_exactly_what_it_lists(world in world(), flags in flags()) {
        let evidence = used(&world);
        let told = shelf(&world).prune_but(&flags, &evidence);
        let (saved, verdicts) = rechecked(&told, &told.stock, &evidence, &flags);
        let passes = saved.iter().zip(verdicts).map(|(row, verdict)| (number_of(&told, row), verdict.unwrap().pass));
        let passes: BTreeMap<usize, usize> = passes.collect();
        prop_assert_eq!(passes.keys().copied().collect::<Vec<_>>(), told.deleted());
        check_order(&world, &passes);
    }

    #[test]
    fn a_plan_for_a_changed_store_leaves_it_complete(
        world in world(), flags in flags(), children in proptest::collection::btree_set(0..12usize, 0..3), retagged in 0..12usize,
    ) {
        let evidence = used(&world);
        let told = shelf(&world).prune_but(&flags, &evidence);
        let mut later = world.clone();
        if let Some(image) = later.get_mut(retagged) {
            image.tags.push("again");
        }
        let children = children.into_iter().filter(|child| *child < world.len()).collect();
        later.push(Truth { index: true, children, tags: vec!["brand-new"], ..Truth::default() });
        let fresh = shelf(&later).stock();
        let (saved, verdicts) = rechecked(&told, &fresh, &evidence, &flags);
        let goes: BTreeSet<usize> = saved.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(row, _)| number_of(&told, row)).collect();
        let all: BTreeSet<usize> = (0..later.len()).collect();
        prop_assert!(!goes.contains(&retagged));
        for number in &all - &goes {
            prop_assert_eq!(&needs(&later, number) & &goes, BTreeSet::new(), "{} loses", number);
            prop_assert_eq!(&attached(&later, number) & &goes, BTreeSet::new(), "of {}", number);
        }
    }
}

type Verdicts = Vec<crate::error::Result<super::Step>>;

fn rechecked<'t>(told: &'t Told, fresh: &Stock, evidence: &Evidence, flags: &[&str]) -> (Vec<&'t Row>, Verdicts) {
    let rows: Vec<&Row> = told.plan.stores[0].rows.iter().filter(|row| row.action() == Action::Delete).collect();
    let saved: Vec<Saved> =
        rows.iter().map(|row| Saved::of(row, &told.stock.images()[row.image], None).unwrap()).collect();
    let guards = guards(flags.contains(&"--no-default-protect"));
    (rows, recheck(&saved, fresh, evidence, &guards))
}

fn guards(no_default_protect: bool) -> Guards {
    static COMPILED: OnceLock<[Guards; 2]> = OnceLock::new();
    // A plan that empties a repository is only carried out with --allow-empty.
    let args = |no_default_protect| GuardArgs { no_default_protect, allow_empty: true, ..Default::default() };
    let compile = |no_default_protect| args(no_default_protect).compile().unwrap();
    COMPILED.get_or_init(|| [compile(false), compile(true)])[usize::from(no_default_protect)].clone()
}
