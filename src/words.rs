//! "Did you mean": the known word that an unknown one was probably meant to be.

/// The nearest of some words, if it is near enough to be a slip of the finger.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = word.to_ascii_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, known);
    let (known, distance) = known
        .into_iter()
        .map(|known| (known, distance(known)))
        .min_by_key(|(_, distance)| *distance)?;
    // A slip changes a letter or two, not most of a word.
    (distance <= 2 && distance * 2 < known.len().max(word.len())).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        let known = ["ecr", "cvm", "workspace"];
        for (word, meant) in [
            ("erc", Some("ecr")),
            ("ecrr", Some("ecr")),
            ("CVN", Some("cvm")),
            ("workspaces", Some("workspace")),
            ("wrokspace", Some("workspace")),
            ("gcr", Some("ecr")),
            ("azure", None),
            ("app", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
