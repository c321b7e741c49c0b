//! Names of keys whose values are repositories, tags or digests, as charts, overlays and state files call them.

/// What the value of a key may be. A key may be any word.
#[derive(Clone, Copy, Default)]
pub struct Key {
    /// A repository, whose tag stands elsewhere.
    pub repository: bool,
    /// A tag or a digest, certainly.
    pub tag: bool,
    /// A tag or a digest, perhaps.
    pub value: bool,
}

const REPOSITORY: [&str; 7] =
    ["repository", "repositoryurl", "repositoryuri", "repositoryname", "repourl", "reponame", "newname"];

const TAG: [&str; 2] = ["tag", "digest"];

const VALUE: [&str; 8] = ["tags", "version", "revision", "ref", "sha", "release", "default", "value"];

impl Key {
    pub fn of(word: &str) -> Self {
        // Without case and separators: `imagetag` of `image_tag` and of `Values.imageTag`.
        let last = word.rsplit(['.', '/', ':']).next().unwrap_or_default();
        let letters = last.chars().filter(|letter| !matches!(letter, '_' | '-'));
        let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        let ends = |endings: &[&str]| endings.iter().any(|ending| plain.ends_with(ending));
        let tag = ends(&TAG);
        let repository = ends(&REPOSITORY) || plain == "repo" || plain == "url";
        Self { repository, tag, value: tag || ends(&VALUE) }
    }
}
