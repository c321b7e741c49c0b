//! `imgctl policy init`: writes a first policy from the images in some stores.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::Regex;

use super::name;
use crate::{
    context::Context,
    context::lookup,
    error::{Error, Kind, Result},
    exit::Exit,
    image::StoreRef,
    output::{self, human::size},
    prune::rules::{Overlap, overlap},
    store::Image,
};

/// Lists the stores, and prints a policy for each.
pub async fn run(stores: &[String], context: &Context) -> Result<Exit> {
    let parsed = stores.iter().map(|text| Ok(text.parse::<StoreRef>()?));
    let parsed: Vec<_> = parsed.collect::<Result<_>>()?;
    apart(&parsed)?;
    context.one_profile(parsed.iter().map(|store| store.provider))?;
    context.printer.progress.doing("listing", None);
    let mut text = String::from(HEAD);
    let mut names = BTreeMap::new();
    for (written, store) in stores.iter().zip(&parsed) {
        let mut found = Found::default();
        for session in lookup::stores(context, store).await? {
            found.stores += 1;
            let mut pages = session.pages();
            while let Some(images) = pages.next().await? {
                context.printer.progress.seen(images.len());
                images.iter().for_each(|image| found.add(image));
            }
        }
        if let Some(stopped) = context.stop.error() {
            return Err(stopped);
        }
        let name = name(store, &mut names);
        text.push_str(&found.policy(&name, written, store));
    }
    context.printer.progress.end();
    output::plain(&text);
    Ok(Exit::Done)
}

/// Refuses stores that are named twice: each would be under two policies.
fn apart(stores: &[StoreRef]) -> Result<()> {
    for (number, store) in stores.iter().enumerate() {
        if let Some(other) = stores[..number].iter().find(|other| overlap(store, other) == Overlap::Sure) {
            let message = format!("{store} is also in {other}");
            return Err(Error::new(Kind::Usage, message).hint("name each store once"));
        }
    }
    Ok(())
}

const HEAD: &str = "\
# Policies for imgctl. Show what they would do:  imgctl prune --policy FILE --dry-run
# Check this file:  imgctl policy check FILE  ·  All fields:  imgctl schema policy
";

/// The images in the stores of one policy.
#[derive(Default)]
struct Found {
    stores: usize,
    images: usize,
    untagged: usize,
    bytes: u64,
    /// Tags of branches, which point to the latest build.
    branches: BTreeSet<&'static str>,
    /// Images with a release tag.
    versions: usize,
}

impl Found {
    fn add(&mut self, image: &Image) {
        self.images += 1;
        self.untagged += usize::from(image.tags.is_empty());
        self.bytes += image.bytes.filter(|_| !image.is_index()).unwrap_or(0);
        for (branch, pattern) in [("main", "main*"), ("master", "master*")] {
            if image.tags.iter().any(|tag| tag.starts_with(branch)) {
                self.branches.insert(pattern);
            }
        }
        self.versions += usize::from(image.tags.iter().any(|tag| RELEASE.is_match(tag)));
    }

    fn policy(&self, name: &str, written: &str, store: &StoreRef) -> String {
        let (images, bytes) = (self.images, size(self.bytes));
        let mut text = format!("\n# {images} images, {bytes}");
        if store.provider.has_containers() {
            text.push_str(&format!(", in {} repositories; {} have no tag", self.stores, self.untagged));
        }
        text.push_str(&format!("\n[policy.{name}]\nstores = [{written:?}]\n"));
        let protect: Vec<_> = self.branches.iter().map(|pattern| format!("{pattern:?}")).collect();
        text.push_str(&format!(
            "\n[policy.{name}.guard]\n\
             # Protected in addition to latest, stable, prod* and release*.\n\
             protect = [{}]\n\
             max-delete = {}\n\
             # Stop unless --in-use says which images are in use.\n\
             # require-in-use = true\n",
            protect.join(", "),
            (self.images / 2).clamp(10, 1000),
        ));
        if !store.provider.has_containers() {
            text.push_str(&format!(
                "\n[policy.{name}.select]\n\
                 # An image is deleted only if it matches all of these; the newest count per family or name.\n\
                 older-than = \"90d\"\n\
                 keep = 10\n"
            ));
            return text;
        }
        text.push_str("\n# The first rule that matches an image decides about it.\n");
        let mut rule = |name_of: &str, matching: &str, delete: &str| {
            text.push_str(&format!(
                "[[policy.{name}.rule]]\nname = \"{name_of}\"\n{matching}delete = {{ {delete} }}\n\n"
            ));
        };
        if self.versions > 0 {
            let matching = format!("match = {{ tag-regex = ['{VERSION}'], any-tag = true }}\n");
            // The newest patch of each minor version stays.
            rule("releases", &matching, "older-than = \"180d\", keep = 10, keep-semver = true");
        }
        rule("untagged", "match = { untagged = true }\n", "older-than = \"14d\"");
        rule("the rest", "", "older-than = \"90d\", keep = 10");
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}

/// Tags of releases: `1.2.3`, `v1.2.3`.
const VERSION: &str = r"^v?\d+\.\d+\.\d+$";

static RELEASE: LazyLock<Regex> = LazyLock::new(|| Regex::new(VERSION).expect("a constant"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::{policy, rules::clauses};

    #[test]
    fn a_first_policy_is_one_that_is_understood() {
        let store: StoreRef = "ecr:team/*".parse().unwrap();
        let mut names = BTreeMap::new();
        let mut found = Found::default();
        for tag in ["v1.2.3", "main-3", "value", "x"] {
            found.add(&Image { tags: vec![tag.into()], ..Image::default() });
        }
        let mut text = String::from(HEAD);
        for _ in 0..2 {
            let name = name(&store, &mut names);
            text.push_str(&found.policy(&name, "ecr:team/*", &store));
        }
        let policies = policy::parse("p", &text).unwrap();
        let all: Vec<_> = policies.keys().map(String::as_str).collect();
        assert_eq!(all, ["ecr-team", "ecr-team-2"]);
        let policy = &policies["ecr-team"];
        assert_eq!(policy.guard.protect, ["main*"]);
        assert_eq!(policy.rule.len(), 3);
        assert!(clauses(policy, chrono::Utc::now()).is_ok());
        assert!(policy.guard.compile().is_ok());
    }
}
