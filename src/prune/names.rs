//! Globs for `--tag`, `--exclude` and `--protect`. They match tags of container images and names of machine images; a
//! pattern with `/` or `:` also matches repositories and whole names. Reasons quote the pattern.

use super::{Stock, inventory::identity};
use crate::{
    error::{Error, Kind, Result},
    image::{ImageId, ImageRef, Located, Provider, StoreRef, patterns::Pattern},
    store::Image,
};

/// The globs of one flag. An image matches if any of them does.
#[derive(Clone, Debug, Default)]
pub struct Names {
    names: Vec<Name>,
}

/// One glob, or a reference as imgctl prints it.
#[derive(Clone, Debug)]
struct Name {
    text: String,
    glob: Pattern,
    /// The repository, or `REPOSITORY:TAG`, of a reference with a registry; its owner and region must match, too.
    located: Option<Pattern>,
    digest: Option<String>,
    machine: Option<ImageRef>,
}

impl Names {
    /// Compiles the globs of a flag. An empty one is refused: it comes from an unset variable in a script.
    pub fn new<T: AsRef<str>>(flag: &str, texts: impl IntoIterator<Item = T>) -> Result<Self> {
        let name = |text: T| {
            let text = text.as_ref();
            Name::new(text).map_err(|why| Error::new(Kind::Usage, format!("{flag} \"{text}\": {why}")))
        };
        Ok(Self { names: texts.into_iter().map(name).collect::<Result<_>>()? })
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All patterns, as written.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| name.text.as_str())
    }

    /// The pattern that matches a tag or name.
    pub fn fit(&self, label: &str) -> Option<&str> {
        self.names.iter().find(|name| name.fits(label)).map(|name| name.text.as_str())
    }

    /// The first match, and its pattern. A pattern is compared with tags, name and id; with a `/` or `:` in it, also with
    /// the repository and `REPOSITORY:TAG`.
    pub fn find(&self, store: &StoreRef, image: &Image) -> Option<(String, &str)> {
        self.names.iter().find_map(|name| Some((name.find(store, image)?, name.text.as_str())))
    }

    /// The patterns that match no image of some stores.
    pub fn unmatched<'n>(&'n self, stocks: &[Stock]) -> impl Iterator<Item = &'n str> {
        let matches = |name: &&Name| {
            let images = |stock: &Stock| stock.images().iter().any(|image| name.find(&stock.store, image).is_some());
            !stocks.iter().any(images)
        };
        self.names.iter().filter(matches).map(|name| name.text.as_str()).collect::<Vec<_>>().into_iter()
    }
}

/// What a regular expression has and no glob: anchors, classes such as `\d`, `(a|b)`, `.+`.
fn is_regex(text: &str) -> bool {
    let group = text.find('(').is_some_and(|open| text[open..].contains('|') && text[open..].contains(')'));
    let classes = ["\\d", "\\w", "\\s", "\\b", "\\.", ".+", "(?:"];
    text.starts_with('^') || text.ends_with('$') || group || classes.iter().any(|class| text.contains(class))
}

impl Name {
    fn new(text: &str) -> Result<Self, String> {
        // A comma is fine within `{one,two}` and `[a,b]`.
        let mut depth = 0;
        let comma = text.chars().any(|letter| {
            depth += i32::from(matches!(letter, '{' | '[')) - i32::from(matches!(letter, '}' | ']'));
            letter == ',' && depth == 0
        });
        let cannot = |why: &str| Err(format!("it cannot match: {why}"));
        match text {
            _ if text.trim() != text => return cannot("remove the space around it"),
            _ if comma => return cannot("repeat the flag for each pattern, or write {one,two}"),
            _ if is_regex(text) => {
                return cannot("it is a regular expression, not a glob");
            }
            _ => {}
        }
        let (head, digest) = match text.split_once('@').filter(|(_, digest)| digest.starts_with("sha256:")) {
            Some((head, digest)) => (head, Some(digest.to_owned())),
            None => (text, None),
        };
        let located = Located::of(head);
        let located = (located.provider.is_some() || located.host.is_some()).then(|| match located.tag {
            Some(tag) => format!("{}:{tag}", located.repository),
            None => located.repository.to_owned(),
        });
        let located = match (Located::of(head).provider, located) {
            (Some(_), Some(whole)) => Some(whole.parse()?),
            // What looks like a host may be a part of a glob.
            (_, whole) => whole.and_then(|whole| whole.parse().ok()),
        };
        let machine = text.parse::<ImageRef>().ok().filter(|image| matches!(image.id, ImageId::Named(_)));
        Ok(Self { glob: text.parse()?, text: text.into(), located, digest, machine })
    }

    fn fits(&self, label: &str) -> bool {
        // The name of a machine image is not a path: `*` also matches a slash in it.
        self.glob.matches(label) || label.contains('/') && self.glob.matches(&label.replace('/', "\0"))
    }

    /// What of an image it matches.
    fn find(&self, store: &StoreRef, image: &Image) -> Option<String> {
        let id = identity(image);
        if let Some(id) = id.filter(|id| self.digest.as_deref() == Some(id)) {
            return Some(id.to_owned());
        }
        if let Some(machine) = &self.machine {
            let ImageId::Named(named) = &machine.id else { return None };
            let same = |asked: &Option<String>, is: &Option<String>| asked.is_none() || is.is_none() || asked == is;
            let here = machine.store.provider == store.provider
                && same(&machine.store.region, &store.region)
                && same(&machine.store.owner, &store.owner);
            return id.filter(|id| here && named == id).map(Into::into);
        }
        if let Some(name) = labels(store.provider, image).chain(id).find(|name| self.fits(name)) {
            return Some(name.to_owned());
        }
        if store.name.is_empty() || !self.text.contains(['/', ':']) {
            return None;
        }
        let where_to = Located::of(&self.text);
        let pattern = match &self.located {
            // A part before a slash may look like a host and be none.
            Some(_) if where_to.provider.is_none() && !where_to.is_at(store) => &self.glob,
            Some(_) if !where_to.may_be_in(store) => return None,
            // `REPOSITORY@DIGEST` means one image.
            Some(_) if self.digest.is_some() && !self.located.as_ref()?.as_str().contains(':') => return None,
            Some(located) => located,
            None => &self.glob,
        };
        let tags = labels(store.provider, image).map(|label| format!("{}:{label}", store.name));
        tags.chain([store.name.clone()]).find(|name| pattern.matches(name))
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
    use crate::prune::sample::{Shelf, digest, repository, store};

    fn tagged(tags: &[&str]) -> Image {
        Image {
            digest: Some("sha256:abc".into()),
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            ..Image::default()
        }
    }

    #[test]
    fn a_name_with_the_host_of_a_registry_is_about_that_registry_alone() {
        let image = tagged(&["v1"]);
        for (glob, store, fits) in [
            ("ghcr.io/o/app:v1", "ghcr.io/o/app", true),
            ("oci:ghcr.io/o/app:v*", "ghcr.io/o/app", true),
            ("docker://GHCR.io/o/*", "ghcr.io/o/app", true),
            ("quay.io/o/app:v1", "ghcr.io/o/app", false),
            ("ghcr.io/o/app:v2", "ghcr.io/o/app", false),
            ("localhost:5000/app", "localhost:5000/app", true),
            ("o/app:v1", "ghcr.io/o/app", true),
            ("ghcr.io/o/app:v1", "ecr:ghcr.io/o/app", true),
            ("{a.b/c,d}:v1", "ecr:a.b/c", true),
        ] {
            let names = Names::new("--exclude", [glob]).unwrap();
            assert_eq!(names.find(&store.parse().unwrap(), &image).is_some(), fits, "{glob} {store}");
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
            let hit = names.find(&repository("team/app"), &tagged(&tags));
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
            let found = names.find(&store(Provider::Cvm, ""), &image);
            assert_eq!(found.is_some(), name != "web/a/b", "{name}");
        }
    }

    // Issue 17, 35
    #[test]
    fn every_form_of_reference_is_understood_and_what_cannot_match_is_an_error() {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        let stock = Shelf::named("r1").image(1, &["v1"], 1).image(2, &["v2"], 1).stock();
        for (pattern, found) in [
            (format!("{host}/r1:v1"), vec![true, false]),
            (format!("{host}/r1"), vec![true, true]),
            (format!("{host}/r1:v*"), vec![true, true]),
            (format!("{host}/r1@{}", digest(2)), vec![false, true]),
            (format!("{host}/r1:v1@{}", digest(1)), vec![true, false]),
            (format!("r1@{}", digest(1)), vec![true, false]),
            (digest(2), vec![false, true]),
            ("ecr:r1:v1".into(), vec![true, false]),
            ("ecr://123456789012@eu-west-1/r1:v2".into(), vec![false, true]),
            ("ecr://us-east-1/r1:v1".into(), vec![false, false]),
            ("999999999999.dkr.ecr.eu-west-1.amazonaws.com/r1:v1".into(), vec![false, false]),
        ] {
            let names = Names::new("--exclude", [&pattern]).unwrap();
            let is: Vec<_> = stock.images().iter().map(|image| names.find(&stock.store, image).is_some()).collect();
            assert_eq!(is, found, "{pattern}");
            let unmatched = names.unmatched(std::slice::from_ref(&stock)).count();
            assert_eq!(unmatched, usize::from(!found.contains(&true)), "{pattern}");
        }
        let machine = Image { id: Some(ImageId::Named("img-6pb6lrmy".into())), ..Image::default() };
        for (pattern, found) in [
            ("cvm://eu-west-1/img-6pb6lrmy", true),
            ("cvm:img-6pb6lrmy", true),
            ("img-6pb6lrmy", true),
            ("cvm://ap-guangzhou/img-6pb6lrmy", false),
        ] {
            let names = Names::new("--exclude", [pattern]).unwrap();
            assert_eq!(names.find(&store(Provider::Cvm, ""), &machine).is_some(), found, "{pattern}");
        }
        for pattern in ["v1,v2", "^v1$", "v1$", "v1 ", " v1", r"v\d+", "(v1|v2)", "v.+", r"v1\.2"] {
            assert!(Names::new("--exclude", [pattern]).is_err(), "{pattern}");
        }
        assert!(Names::new("--exclude", ["{v1,v2}"]).is_ok());
        assert!(Names::new("--exclude", ["web (old)", "v1.*", "a+b"]).is_ok());
    }
}
