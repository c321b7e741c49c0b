//! "Did you mean": finds the known word that is closest to what the user typed.

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

#[cfg(test)]
mod tests {
    use super::*;

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
