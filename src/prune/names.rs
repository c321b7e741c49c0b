//! Globs for `--tag`, `--exclude` and `--protect`. They match tags of container images and names of machine images; a
//! pattern with `/` or `:` also matches repositories and whole names. Reasons quote the pattern.

use super::inventory::identity;
use crate::{
    error::{Error, Kind, Result},
    image::Provider,
    image::patterns::Pattern,
    store::Image,
};

/// The globs of one flag. An image matches if any of them does.
#[derive(Clone, Debug)]
pub struct Names {
    patterns: Vec<Pattern>,
}

impl Names {
    /// Compiles the globs of a flag. An empty one is refused: it comes from an unset variable in a script.
    pub fn new<T: AsRef<str>>(flag: &str, texts: impl IntoIterator<Item = T>) -> Result<Self> {
        let pattern = |text: T| {
            let text = text.as_ref();
            text.parse::<Pattern>().map_err(|why| Error::new(Kind::Usage, format!("{flag} \"{text}\": {why}")))
        };
        let patterns = texts.into_iter().map(pattern).collect::<Result<_>>()?;
        Ok(Self { patterns })
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The pattern that matches a tag or name.
    pub fn fit(&self, label: &str) -> Option<&str> {
        // The name of a machine image is not a path: `*` also matches a slash in it.
        let flat = label.contains('/').then(|| label.replace('/', "\0"));
        let fits =
            |pattern: &&Pattern| pattern.matches(label) || flat.as_deref().is_some_and(|flat| pattern.matches(flat));
        self.patterns.iter().find(fits).map(Pattern::as_str)
    }

    /// The first match, and its pattern. A pattern is compared with tags, name and id; with a `/` or `:` in it, also with
    /// the repository and `REPOSITORY:TAG`.
    pub fn find(&self, provider: Provider, store: &str, image: &Image) -> Option<(String, &str)> {
        if self.is_empty() {
            return None;
        }
        let own = labels(provider, image).chain(identity(image));
        for name in own {
            if let Some(pattern) = self.fit(name) {
                return Some((name.to_owned(), pattern));
            }
        }
        let whole = self.patterns.iter().filter(|pattern| pattern.as_str().contains(['/', ':']));
        for pattern in whole.filter(|_| !store.is_empty()) {
            let tags = labels(provider, image).map(|label| format!("{store}:{label}"));
            let mut names = tags.chain([store.to_owned()]);
            if let Some(name) = names.find(|name| pattern.matches(name)) {
                return Some((name, pattern.as_str()));
            }
        }
        None
    }
}

/// An image's tags, or the name of a machine image.
pub fn labels(provider: Provider, image: &Image) -> impl Iterator<Item = &str> {
    let name = image.name.as_deref().filter(|name| !provider.has_containers() && !name.is_empty());
    image.tags.iter().map(String::as_str).chain(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tags: &[&str]) -> Image {
        Image {
            digest: Some("sha256:abc".into()),
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            ..Image::default()
        }
    }

    #[test]
    fn a_pattern_matches_tags_and_with_a_slash_or_colon_repositories() {
        for (pattern, tags, found) in [
            ("v*", vec!["v1"], true),
            ("v*", vec!["latest"], false),
            // A repository's name is not a tag.
            ("te*", vec!["v1"], false),
            ("team/*", vec!["v1"], true),
            ("team/*", vec![], true),
            ("team/app:v1", vec!["v2", "v1"], true),
            ("team/app:v1", vec!["v2"], false),
            ("**/app:v1", vec!["v1"], true),
            ("sha256:a*", vec![], true),
            ("{a,v}1", vec!["v1"], true),
        ] {
            let names = Names::new("--exclude", [pattern]).unwrap();
            let hit = names.find(Provider::Ecr, "team/app", &tagged(&tags));
            assert_eq!(hit.is_some(), found, "{pattern} {tags:?}");
        }
    }

    #[test]
    fn an_empty_or_broken_pattern_is_refused() {
        for pattern in ["", "[", "{a"] {
            let error = Names::new("--exclude", [pattern]).unwrap_err();
            assert_eq!(error.kind, Kind::Usage, "{pattern}");
            assert!(error.message.starts_with("--exclude "), "{error}");
        }
    }

    #[test]
    fn patterns_match_names_of_machine_images() {
        let names = Names::new("--protect", ["prod*", "web/*"]).unwrap();
        for name in ["prod-web", "prod/web", "web/prod", "web/a/b"] {
            let image = Image { name: Some(name.into()), ..Image::default() };
            let found = names.find(Provider::Cvm, "", &image);
            assert_eq!(found.is_some(), name != "web/a/b", "{name}");
        }
    }
}
