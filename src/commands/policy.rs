//! `imgctl policy`: checks a policy file without any call, and writes a first one from existing images.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use clap::Subcommand;

use crate::{
    context::Context,
    context::lookup,
    error::Result,
    exit::Exit,
    help::{Example, examples},
    image::StoreRef,
    output::{self, human::size},
    prune::rules::of_file,
    store::Image,
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 3] = [
    ("Write a first policy from existing images.", "imgctl policy init 'ecr:team/*' cvm: > clean.toml"),
    ("Check a policy file.", "imgctl policy init cvm: > c.toml && imgctl policy check c.toml"),
    ("Show what a policy would do.", "imgctl policy init cvm: > c.toml && imgctl prune --policy c.toml -n"),
];

/// Check a policy file, or write a first one
///
/// A policy names stores and the rules for stale images. Run it with `imgctl prune --policy FILE`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Check a policy file; sends no calls
    Check {
        /// The policy file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a first policy for these stores; changes nothing
    Init {
        /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`
        #[arg(value_name = "STORE", required = true)]
        stores: Vec<String>,
    },
}

/// Prints the stores of each policy.
pub fn check(file: &Path) -> Result<Exit> {
    for rules in of_file(file, &[])? {
        let stores: Vec<_> = rules.stores.iter().map(ToString::to_string).collect();
        let name = rules.name.unwrap_or_default();
        output::plain(&output::safe(&format!("{name}: {}", stores.join(", "))));
        output::plain("\n");
    }
    Ok(Exit::Done)
}

/// Lists the stores, and prints a policy for each.
pub async fn init(stores: &[String], context: &Context) -> Result<Exit> {
    let parsed = stores.iter().map(|text| Ok(text.parse::<StoreRef>()?));
    let parsed: Vec<_> = parsed.collect::<Result<_>>()?;
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
        let version = |tag: &String| {
            let rest = tag.strip_prefix('v').unwrap_or(tag);
            rest.split('.').count() == 3 && rest.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
        };
        self.versions += usize::from(image.tags.iter().any(version));
    }

    fn policy(&self, name: &str, written: &str, store: &StoreRef) -> String {
        let (images, bytes) = (self.images, size(self.bytes));
        let mut text = format!("\n# {images} images, {bytes}");
        if store.provider.has_containers() {
            text.push_str(&format!(", in {} repositories; {} have no tag", self.stores, self.untagged));
        }
        text.push_str(&format!("\n[policy.{name}]\nstores = [{written:?}]\n\n"));
        text.push_str(&format!(
            "[policy.{name}.select]\n\
             # An image is deleted only if it matches all of these.\n\
             older-than = \"90d\"\n\
             # Keep the newest of those, per repository, family or name.\n\
             keep = 10\n"
        ));
        if self.versions > 0 {
            text.push_str("# Keep the newest patch of each minor version.\nkeep-semver = true\n");
        }
        if store.provider.has_containers() {
            text.push_str("# not-pulled-for = \"90d\"\n# untagged = true\n");
        }
        text.push_str(&format!(
            "\n[policy.{name}.guard]\n\
             # Protected in addition to latest, stable, prod* and release*.\n\
             protect = [{}]\n\
             max-delete = {}\n",
            self.branches.iter().map(|pattern| format!("{pattern:?}")).collect::<Vec<_>>().join(", "),
            (self.images / 2).clamp(10, 1000),
        ));
        text
    }
}

/// A unique name that TOML accepts without quotes.
fn name(store: &StoreRef, used: &mut BTreeMap<String, usize>) -> String {
    let whole = format!("{}-{}", store.provider.scheme(), store.name);
    let plain: String = whole.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let parts: Vec<_> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    let times = used.entry(name.clone()).or_default();
    *times += 1;
    match times {
        1 => name,
        times => format!("{name}-{times}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::policy;

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
        assert!(policy.select.keep_semver);
        assert!(policy.select.compile(chrono::Utc::now()).is_ok());
        assert!(policy.guard.compile().is_ok());
    }
}
