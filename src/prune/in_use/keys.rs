//! Names of keys whose values are repositories, tags or digests, as charts, overlays and state files call them.

/// The last part of a key, without case and separators: `imagetag` of `image_tag` and of `Values.imageTag`.
fn plain(key: &str) -> String {
    let last = key.rsplit(['.', '/', ':']).next().unwrap_or_default();
    last.chars().filter(|letter| !matches!(letter, '_' | '-')).map(|letter| letter.to_ascii_lowercase()).collect()
}

fn ends_with(key: &str, endings: &[&str]) -> bool {
    let key = plain(key);
    endings.iter().any(|ending| key.ends_with(ending))
}

/// A key whose value is a repository; its tag stands elsewhere.
pub fn is_repository_key(key: &str) -> bool {
    ends_with(
        key,
        &["repository", "repositoryurl", "repositoryuri", "repositoryname", "repourl", "reponame", "newname"],
    ) || matches!(plain(key).as_str(), "repo" | "url")
}

/// A key whose value says which image of a repository.
pub fn is_tag_key(key: &str) -> bool {
    ends_with(key, &["tag", "digest"])
}

/// A key whose value may be a tag or a digest.
pub fn is_value_key(key: &str) -> bool {
    const MORE: [&str; 8] = ["tags", "version", "revision", "ref", "sha", "release", "default", "value"];
    is_tag_key(key) || ends_with(key, &MORE)
}
