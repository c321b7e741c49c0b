//! Laws of several rules: the first that matches an image decides about it, whatever the others say. The checker matches
//! tags by its own code.

use proptest::prelude::*;

use super::{
    Action, Elsewhere, Evidence, Plan, Rule as Reasoned, Stock, decide, policy,
    rules::clauses,
    sample::{Shelf, digest, now},
};

/// Tags, each on one image.
const TAGS: [&str; 8] = ["pr-1", "pr-2", "pr-3", "v1", "v2", "main", "nightly-1", "nightly-2"];

/// A rule of a random policy: which tags it is about, and what it does.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    about: About,
    /// `None` keeps.
    delete: Option<(i64, Option<u32>)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum About {
    Begins(&'static str),
    Untagged,
    All,
}

impl Rule {
    fn matches(&self, tag: Option<&str>) -> bool {
        match self.about {
            About::Begins(beginning) => tag.is_some_and(|tag| tag.starts_with(beginning)),
            About::Untagged => tag.is_none(),
            About::All => true,
        }
    }

    fn toml(&self) -> String {
        let matching = match self.about {
            About::Begins(beginning) => format!("match = {{ tag = [\"{beginning}*\"] }}\n"),
            About::Untagged => "match = { untagged = true }\n".into(),
            About::All => String::new(),
        };
        let verdict = match self.delete {
            None => "keep = true".into(),
            Some((days, None)) => format!("delete = {{ older-than = \"{days}d\" }}"),
            Some((days, Some(keep))) => format!("delete = {{ older-than = \"{days}d\", keep-total = {keep} }}"),
        };
        format!("[[policy.x.rule]]\n{matching}{verdict}\n")
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let about = prop_oneof![
        proptest::sample::select(vec!["pr-", "v", "n", "pr-1", "main"]).prop_map(About::Begins),
        Just(About::Untagged),
    ];
    let delete = proptest::option::weighted(0.8, (1..60i64, proptest::option::of(1..3u32)));
    (about, delete).prop_map(|(about, delete)| Rule { about, delete })
}

/// Rules, of which only the last may be about all images.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    (proptest::collection::vec(rule(), 1..5), proptest::bool::ANY).prop_map(|(mut rules, all)| {
        if all && let Some(last) = rules.last_mut() {
            last.about = About::All;
        }
        rules
    })
}

/// Images: how many days ago each tag was pushed, and then each image without a tag.
fn days() -> impl Strategy<Value = Vec<i64>> {
    proptest::collection::vec(0..60i64, TAGS.len() + 3)
}

fn tag(number: usize) -> Option<&'static str> {
    TAGS.get(number).copied()
}

fn stock(days: &[i64]) -> Stock {
    let images = days.iter().enumerate();
    images
        .fold(Shelf::new(), |shelf, (number, days)| {
            let tags: Vec<&str> = tag(number).into_iter().collect();
            // No two are equally old.
            shelf.with(number, &tags, *days, |image| {
                image.pushed_at = image.pushed_at.map(|at| at - chrono::TimeDelta::minutes(number as i64 + 1));
            })
        })
        .stock()
}

fn planned(rules: &[Rule], stock: &Stock) -> Plan {
    let text: String = rules.iter().map(Rule::toml).collect();
    let text = format!("[policy.x]\nstores = [\"ecr:app\"]\nguard = {{ no-default-protect = true }}\n{text}");
    let policy = &policy::parse("p", &text).unwrap_or_else(|error| panic!("{error} in {text}"))["x"];
    let guards = policy.guard.compile().unwrap();
    let stocks = std::slice::from_ref(stock);
    decide(stocks, &Elsewhere::of(stocks), &clauses(policy, now()).unwrap(), &Evidence::default(), &guards)
}

fn goes(plan: &Plan) -> Vec<bool> {
    plan.stores[0].rows.iter().map(|row| row.action() == Action::Delete).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_image_is_decided_by_exactly_its_first_matching_rule(rules in rules(), days in days()) {
        let stock = stock(&days);
        let plan = planned(&rules, &stock);
        for (number, row) in plan.stores[0].rows.iter().enumerate() {
            let first = rules.iter().position(|rule| rule.matches(tag(number)));
            let said = row.reason.words.as_str();
            let Some(first) = first else {
                prop_assert_eq!(said, "no rule of the policy matches it");
                continue;
            };
            prop_assert!(said == format!("rule {}", first + 1) || said.starts_with(&format!("rule {}:", first + 1)), "{}: {}", number, said);
            match rules[first].delete {
                None => prop_assert_eq!(row.reason.rule, Reasoned::Policy),
                Some((age, keep)) => {
                    // The images of the same rule that are old enough, newest first.
                    let same = |other: &usize| rules.iter().position(|rule| rule.matches(tag(*other))) == Some(first);
                    let mut old: Vec<usize> = (0..days.len()).filter(|other| days[*other] >= age && same(other)).collect();
                    old.sort_by_key(|other| (days[*other], *other));
                    let rank = old.iter().position(|other| *other == number);
                    let deleted = rank.is_some_and(|rank| rank >= keep.unwrap_or(0) as usize);
                    prop_assert_eq!(row.action() == Action::Delete, deleted, "{}: {}", number, said);
                }
            }
        }
    }

    #[test]
    fn the_order_of_rules_that_share_no_image_does_not_matter(rules in rules(), days in days(), from in 0..5usize) {
        let stock = stock(&days);
        let place = from % rules.len();
        let Some(next) = rules.get(place + 1) else { return Ok(()) };
        let share = (0..days.len()).any(|number| rules[place].matches(tag(number)) && next.matches(tag(number)));
        if !share && next.about != About::All {
            let mut swapped = rules.clone();
            swapped.swap(place, place + 1);
            prop_assert_eq!(goes(&planned(&rules, &stock)), goes(&planned(&swapped, &stock)));
        }
    }

    /// Rules that come later never delete what an earlier one keeps.
    #[test]
    fn a_rule_at_the_end_changes_nothing_of_the_others(rules in rules(), last in rule(), days in days()) {
        let stock = stock(&days);
        if rules.last().is_some_and(|rule| rule.about == About::All) {
            return Ok(());
        }
        let before = planned(&rules, &stock);
        let more: Vec<Rule> = rules.iter().cloned().chain([last]).collect();
        let after = planned(&more, &stock);
        for number in (0..days.len()).filter(|number| rules.iter().any(|rule| rule.matches(tag(*number)))) {
            prop_assert_eq!(&before.stores[0].rows[number], &after.stores[0].rows[number]);
        }
    }
}

#[test]
fn an_index_that_one_rule_keeps_keeps_what_another_rule_would_delete() {
    let stock = Shelf::new().index(1, &["v1"], 90, &[2]).image(2, &["pr-1"], 90).image(3, &["pr-2"], 90).stock();
    let about = |beginning, delete| Rule { about: About::Begins(beginning), delete };
    let plan = planned(&[about("pr-", Some((30, None))), about("v", None)], &stock);
    let said: Vec<_> = plan.stores[0].rows.iter().map(|row| row.reason.words.clone()).collect();
    let called = format!("v1 ({})", &digest(1)[..19]);
    assert_eq!(
        said,
        [
            "rule 2: tag v1 matches".to_owned(),
            format!("needed by {called}"),
            "rule 1: tag pr-2 matches, pushed 90 days ago, older than 30d".to_owned()
        ]
    );
}
