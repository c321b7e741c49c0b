//! Words for people: the known word that is closest to what the user typed, and a list that does not run on.

/// Finds the candidate that is closest to `word`, if a typing error could explain the difference.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // One error, and one more for every four letters: `erc` means `ecr`, but `app` does not mean `cvm`.
    let allowed = 1 + word.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The first words of a list, and how many more there are.
pub fn some(words: &[impl AsRef<str>]) -> String {
    let all = || words.iter().map(AsRef::as_ref);
    match words.len() {
        0..4 => all().collect::<Vec<_>>().join(", "),
        many => format!("{} and {} more", all().take(3).collect::<Vec<_>>().join(", "), many - 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_ends_with_a_count() {
        for (words, text) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b", "c"], "a, b, c"),
            (&["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        ] {
            assert_eq!(some(words), text);
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let words = ["ecr", "cvm", "workspace"];
        for (typed, meant) in [
            ("erc", Some("ecr")),
            ("ECR", Some("ecr")),
            ("cmv", Some("cvm")),
            ("ec", Some("ecr")),
            ("workspaces", Some("workspace")),
            ("wrokspcae", Some("workspace")),
            ("app", None),
            ("docker", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }
}
