//! A realistic registry of any size: releases for several platforms with signatures and SBOMs, tags
//! that moved on and left images without any, a base image with many tags, and an archive.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Ecr, REGION,
    build::{Built, Kind},
    digest::Digest,
    made::Recipe,
    manifest::Manifest,
    repository::{Mutability, Repository},
};
use crate::sandbox::dice::Dice;

/// Repositories, how many of a hundred images each has, and what a release there looks like.
const REPOSITORIES: [(&str, usize, Release); 5] = [
    ("team/app", 38, app),
    ("team/api", 27, api),
    ("tools/ci", 20, ci),
    ("base/alpine", 8, base),
    ("archive/reports", 7, report),
];

type Release = fn(&mut Builder);

/// The repository that has a lifecycle policy.
const WITH_POLICY: &str = "tools/ci";

/// The sandbox keeps the policy and does not carry it out.
const POLICY: &str = r#"{"rules":[
  {"rulePriority":10,"description":"Keep the last builds","selection":{"tagStatus":"tagged","tagPatternList":["build-*"],"countType":"imageCountMoreThan","countNumber":20},"action":{"type":"expire"}},
  {"rulePriority":20,"description":"Untagged images","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}},
  {"rulePriority":30,"description":"What nobody pulls","selection":{"tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":365},"action":{"type":"transition","targetStorageClass":"archive"}}
]}"#;

/// How old the oldest release is.
const OLDEST: TimeDelta = TimeDelta::days(3 * 365);

/// When the first release of every repository was built.
const FIRST_BUILD: DateTime<Utc> = DateTime::from_timestamp(1_672_531_200, 0).unwrap();

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

impl Ecr {
    /// A registry with so many images, counting indexes and what is attached to images.
    pub fn seeded(seed: u64, images: usize, now: DateTime<Utc>) -> Self {
        let mut ecr = Self::default();
        let mut left = images;
        for (place, (name, share, release)) in REPOSITORIES.iter().enumerate() {
            let last = place + 1 == REPOSITORIES.len();
            let wanted = if last { left } else { images * share / 100 };
            left -= wanted;
            let repository = ecr.repository(REGION, name, now - OLDEST);
            repository.lifecycle_policy = (*name == WITH_POLICY).then(|| POLICY.into());
            Builder {
                repository,
                name,
                wanted,
                dice: Dice::new(seed ^ Digest::of(name).number()),
                now,
                at: now - OLDEST,
                number: 0,
            }
            .fill(*release);
        }
        ecr
    }
}

/// Fills one repository, from its oldest release to its newest.
struct Builder<'a> {
    repository: &'a mut Repository,
    name: &'static str,
    wanted: usize,
    dice: Dice,
    now: DateTime<Utc>,
    /// When the release at hand is pushed.
    at: DateTime<Utc>,
    /// Of the release at hand.
    number: u64,
}

impl Builder<'_> {
    fn fill(mut self, release: Release) {
        while self.repository.len() < self.wanted {
            self.at = self.time();
            release(&mut self);
            self.number += 1;
        }
    }

    /// Releases come ever faster, the newest hours ago.
    fn time(&mut self) -> DateTime<Utc> {
        let left = 1.0 - self.repository.len() as f64 / self.wanted as f64;
        let minutes = (OLDEST.num_minutes() as f64 * left * left) as i64;
        let jitter = self.dice.below(90) as i64;
        self.now - TimeDelta::minutes(minutes + 60 + jitter)
    }

    fn full(&self) -> bool {
        self.repository.len() >= self.wanted
    }

    /// Pushes a manifest unless the repository is full. Most images get a time of their last pull.
    fn push(&mut self, built: &Built, tags: &[&str]) -> bool {
        if self.full() {
            return false;
        }
        built.push(self.repository, tags, self.at);
        if self.dice.chance(70)
            && let Some((pushed_at, pulled_at)) = self.repository.times(&built.manifest.digest)
        {
            let age = (self.now - *pushed_at).num_minutes().max(1);
            *pulled_at = Some(*pushed_at + TimeDelta::minutes(self.dice.below(age as u64) as i64));
        }
        true
    }

    /// An image of one platform, on layers that it shares with the releases around it.
    fn image(&mut self, platform: &str) -> Built {
        let (name, number) = (self.name, self.number);
        let some = |what: String| (Digest::of(what).number() % 4) as usize;
        let base = some(format!("alpine 3.{}, {platform}", 15 + number / 400 % 8));
        let tools = 4 + some(format!("{name} tools {}, {platform}", number / 20));
        let own = (0..self.dice.below(3)).map(|_| self.dice.below(8) as usize);
        // No layer is twice in an image.
        let paddings: BTreeSet<usize> = [base, tools].into_iter().chain(own).collect();
        let mut layers: Vec<_> = paddings.into_iter().map(|padding| Recipe::paddings()[padding].clone()).collect();
        layers.push(Recipe::File(format!("{name} {number}, {platform}").into()));
        // Not when it is pushed: the same world has the same digests on every day.
        Built::image(Kind::Docker, platform, FIRST_BUILD + TimeDelta::hours(number as i64), layers)
    }

    /// Images of all platforms under an index, which gets the tags.
    fn index(&mut self, tags: &[&str]) -> Option<Manifest> {
        let children = PLATFORMS.map(|platform| self.image(platform));
        let whole = children.iter().all(|child| self.push(child, &[]));
        let index = Built::index(&[(&children[0], PLATFORMS[0]), (&children[1], PLATFORMS[1])]);
        (whole && self.push(&index, tags)).then_some(index.manifest)
    }

    fn version(&self) -> String {
        format!("v{}.{}.{}", 1 + self.number / 500, self.number / 20 % 25, self.number % 20)
    }
}

/// Nightly builds and releases with signatures and SBOMs as referrers.
fn app(builder: &mut Builder) {
    let version = builder.version();
    let tags = if builder.dice.chance(40) { vec![version.as_str(), "latest"] } else { vec!["nightly"] };
    let Some(index) = builder.index(&tags) else {
        return;
    };
    let name = format!("{} {}", builder.name, builder.number);
    if builder.dice.chance(60) {
        let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
        builder.push(&Built::attached(&format!("{name}, signature"), kind, &index), &[]);
    }
    if builder.dice.chance(40) {
        builder.push(&Built::attached(&format!("{name}, sbom"), "application/spdx+json", &index), &[]);
    }
}

/// Releases whose signatures refer to them by tag only; some signatures outlived their image.
fn api(builder: &mut Builder) {
    let version = builder.version();
    let name = format!("{} {}", builder.name, builder.number);
    let signed = if builder.dice.chance(15) {
        Some(Digest::of(&name))
    } else {
        let commit = format!("sha-{}", &Digest::of(&name).hex()[..7]);
        builder.index(&[&version, &commit, "latest"]).map(|index| index.digest)
    };
    if let Some(digest) = signed.filter(|_| builder.dice.chance(50)) {
        let tag = format!("sha256-{}.sig", digest.hex());
        builder.push(&Built::cosign(digest), &[&tag]);
    }
}

/// One platform, one tag per build. Every second build lost its tag to the next.
fn ci(builder: &mut Builder) {
    let image = builder.image(PLATFORMS[0]);
    let build = format!("build-{}", 1000 + builder.number);
    let branch = ["main", "develop", "feature-login"][builder.dice.below(3) as usize];
    let tags = if builder.dice.chance(50) { vec![build.as_str(), branch] } else { vec![branch] };
    builder.push(&image, &tags);
}

/// Few images with many immutable tags.
fn base(builder: &mut Builder) {
    builder.repository.mutability = Mutability::Immutable;
    let (minor, patch) = (10 + builder.number / 5, builder.number % 5);
    let mut tags = vec![format!("3.{minor}.{patch}")];
    if patch == 4 {
        tags.extend([format!("3.{minor}"), format!("3.{minor}-stable")]);
    }
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    builder.index(&tags);
}

/// One report a day, archived after half a year.
fn report(builder: &mut Builder) {
    let image = builder.image(PLATFORMS[0]);
    let tag = format!("{}-{}", builder.at.format("%Y-%m-%d"), builder.number);
    let pushed = builder.push(&image, &[&tag]);
    if pushed && builder.now - builder.at > TimeDelta::days(180) {
        let at = builder.at + TimeDelta::days(180);
        builder.repository.archive(&image.manifest.digest, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::ecr::{
        manifest::Content,
        repository::{Image, Status},
    };

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn images(ecr: &Ecr) -> Vec<&Image> {
        ecr.repositories(REGION).flat_map(|(_, repository)| repository.images()).collect()
    }

    #[test]
    fn a_world_has_as_many_images_as_asked_and_is_the_same_for_the_same_seed() {
        for count in [0, 1, 7, 100, 1000] {
            let world = Ecr::seeded(1, count, now());
            assert_eq!(images(&world).len(), count);
            assert_eq!(world.snapshot(), Ecr::seeded(1, count, now()).snapshot());
        }
        assert_ne!(Ecr::seeded(1, 100, now()).snapshot(), Ecr::seeded(2, 100, now()).snapshot());
    }

    #[test]
    fn even_a_small_world_has_one_of_everything() {
        let world = Ecr::seeded(1, 200, now());
        let repositories: BTreeSet<_> = world.repositories(REGION).map(|(name, _)| name).collect();
        assert_eq!(repositories.len(), REPOSITORIES.len());
        let some = |what: &str, is: &dyn Fn(&&Image) -> bool| {
            assert!(images(&world).iter().copied().any(|image| is(&image)), "{what}");
        };
        some("an index", &|image| matches!(image.manifest.content, Content::Index { .. }));
        some("an index without a tag", &|image| !image.manifest.children().is_empty() && image.tags.is_empty());
        some("something attached", &|image| image.manifest.subject.is_some());
        some("an image with several tags", &|image| image.tags.len() > 1);
        some("a signature by its tag", &|image| image.tags.iter().any(|tag| tag.ends_with(".sig")));
        some("an archived image", &|image| image.status() == Status::Archived);
        some("an image never pulled", &|image| image.pulled_at.is_none());
        some("a pull", &|image| image.pulled_at.is_some_and(|time| time >= image.pushed_at && time <= now()));
        some("one some hours old", &|image| now() - image.pushed_at < TimeDelta::days(1));
        some("one two years old", &|image| now() - image.pushed_at > TimeDelta::days(730));
        assert!(images(&world).iter().all(|image| image.pushed_at < now()));
    }
}
