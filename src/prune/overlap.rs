//! Whether two references to stores may name the same store, before any store is known.

use crate::image::StoreRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlap {
    None,
    /// Some name would match both, or the region or owner is left to the settings.
    Maybe,
    Sure,
}

pub fn overlap(one: &StoreRef, other: &StoreRef) -> Overlap {
    let apart = |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some() && one != other;
    if one.provider != other.provider || apart(&one.owner, &other.owner) || apart(&one.region, &other.region) {
        return Overlap::None;
    }
    let same_place = one.owner == other.owner && one.region == other.region;
    let matches = |pattern: &StoreRef, name: &str| pattern.pattern().is_ok_and(|pattern| pattern.matches(name));
    let (meet, sure) = match (one.is_pattern(), other.is_pattern()) {
        (false, false) => (one.name == other.name, true),
        (true, false) => (matches(one, &other.name), true),
        (false, true) => (matches(other, &one.name), true),
        (true, true) => (may_meet(&one.name, &other.name), one.name == other.name),
    };
    match (meet, sure && same_place) {
        (false, _) => Overlap::None,
        (true, false) => Overlap::Maybe,
        (true, true) => Overlap::Sure,
    }
}

/// Whether some name matches both globs.
fn may_meet(one: &str, other: &str) -> bool {
    // Alternatives and sets of characters are rare here: in doubt, they may meet.
    if [one, other].iter().any(|glob| glob.contains(['{', '['])) {
        return true;
    }
    // Alone, `**/` matches everything, as `**` does; and after other parts nothing that `**` would not.
    let whole = |glob: &str| if glob.ends_with("**/") { glob.len() - 1 } else { glob.len() };
    let parts = |glob: &str| glob[..whole(glob)].split('/').map(str::to_owned).collect::<Vec<_>>();
    parts_meet(&parts(one), &parts(other))
}

fn parts_meet(one: &[String], other: &[String]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([all, rest @ ..], any) if all == "**" => {
            parts_meet(rest, any) || !any.is_empty() && parts_meet(one, &any[1..])
        }
        (any, [all, rest @ ..]) if all == "**" => {
            parts_meet(any, rest) || !any.is_empty() && parts_meet(&any[1..], other)
        }
        ([first, rest @ ..], [second, others @ ..]) => {
            let letters = |part: &str| part.chars().collect::<Vec<_>>();
            letters_meet(&letters(first), &letters(second)) && parts_meet(rest, others)
        }
        _ => false,
    }
}

fn letters_meet(one: &[char], other: &[char]) -> bool {
    match (one, other) {
        ([], []) => true,
        (['*', rest @ ..], any) => letters_meet(rest, any) || !any.is_empty() && letters_meet(one, &any[1..]),
        (any, ['*', rest @ ..]) => letters_meet(any, rest) || !any.is_empty() && letters_meet(&any[1..], other),
        ([first, rest @ ..], [second, others @ ..]) => {
            (first == second || *first == '?' || *second == '?') && letters_meet(rest, others)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::patterns::Pattern;

    #[test]
    fn stores_that_are_named_twice_are_found() {
        for (one, other, expected) in [
            ("ecr:team/app", "ecr:team/app", Overlap::Sure),
            ("ecr:team/*", "ecr:team/app", Overlap::Sure),
            ("ecr:team/app", "ecr:**", Overlap::Sure),
            ("ecr:team/*", "ecr:team/*", Overlap::Sure),
            ("cvm:", "cvm:", Overlap::Sure),
            ("ecr:team/*", "ecr:*/app", Overlap::Maybe),
            ("ecr:team/app", "ecr://eu-west-1/team/app", Overlap::Maybe),
            ("ecr:a/**", "ecr:a/b/*", Overlap::Maybe),
            ("ecr:**/", "ecr:?", Overlap::Maybe),
            ("ecr:{a,b}", "ecr:c*", Overlap::Maybe),
            ("ecr:team/*", "ecr:team/a/b", Overlap::None),
            ("ecr:web-*", "ecr:api-*", Overlap::None),
            ("ecr://eu-west-1/team/app", "ecr://eu-west-2/team/app", Overlap::None),
            ("ecr:app", "cvm:", Overlap::None),
            ("cvm://ap-guangzhou/", "cvm:", Overlap::Maybe),
        ] {
            let (first, second) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(&first, &second), expected, "{one} {other}");
            assert_eq!(overlap(&second, &first), expected, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn globs_that_match_one_name_meet(
            one in "(a|b|\\*|\\?|/){1,6}", other in "(a|b|\\*|\\?|/|){1,6}", name in "(a|b|/){1,6}",
        ) {
            let valid = |text: &str| !text.is_empty() && text.parse::<Pattern>().is_ok();
            prop_assume!(valid(&one) && valid(&other));
            let matches = |glob: &str| glob.parse::<Pattern>().unwrap().matches(&name);
            if matches(&one) && matches(&other) {
                prop_assert!(may_meet(&one, &other), "{} {} {}", one, other, name);
            }
        }
    }
}
