//! A realistic registry of the protocol: indexes of both kinds, images with several tags, signatures of both kinds, charts,
//! and builds that say 1970. A build is dated a whole number of days before today.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::{Habits, Oci, habits::Referrers};
use crate::sandbox::{
    dice::Dice,
    ecr::{
        build::{Built, Kind},
        made::Recipe,
        manifest::Manifest,
        repository::Repository,
    },
};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const SBOM: &str = "application/spdx+json";

/// The repositories, how many of a hundred releases each has, and how long ago its first was, in days.
const REPOSITORIES: [(&str, usize, i64, Release); 5] = [
    ("team/app", 30, 700, app),
    ("team/web", 25, 500, web),
    ("tools/ci", 25, 120, ci),
    ("tools/jib", 10, 300, reproducible),
    ("charts/app", 10, 400, chart),
];

type Release = fn(&mut Builder, u64);

impl Oci {
    /// A registry with about so many releases.
    pub fn seeded(seed: u64, releases: usize, habits: Habits, now: DateTime<Utc>) -> Self {
        let mut oci = Self { habits, ..Self::default() };
        let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let listed = oci.habits.referrers == Referrers::Listed;
        for (name, share, oldest, release) in REPOSITORIES {
            let count = (releases * share).div_ceil(100) as u64;
            let repository = oci.repository(name, today - TimeDelta::days(oldest));
            let mut builder = Builder { repository, name, dice: Dice::new(seed), at: today, listed };
            for number in 0..count {
                let left = oldest * (count - 1 - number) as i64 / (count - 1).max(1) as i64;
                builder.at = today - TimeDelta::days(left);
                release(&mut builder, number);
            }
        }
        oci
    }
}

/// Fills one repository, from its oldest release to its newest.
struct Builder<'a> {
    repository: &'a mut Repository,
    name: &'static str,
    dice: Dice,
    /// When the release at hand is built and pushed.
    at: DateTime<Utc>,
    /// Whether the registry lists referrers, so that clients keep no tag for them.
    listed: bool,
}

impl Builder<'_> {
    fn image(&mut self, kind: Kind, platform: &str, number: u64, built: DateTime<Utc>) -> Built {
        let paddings = Recipe::paddings();
        let base = paddings[(number / 10 % 3) as usize + 1].clone();
        let own = paddings[self.dice.below(3) as usize + 4].clone();
        let file = Recipe::File(format!("{} {number}, {platform}", self.name).into());
        Built::image(kind, platform, built, vec![base, own, file])
    }

    /// Images of all platforms under an index, which gets the tags.
    fn index(&mut self, kind: Kind, number: u64, tags: &[&str]) -> Built {
        let children = PLATFORMS.map(|platform| self.image(kind, platform, number, self.at));
        children.iter().for_each(|child| self.push(child, &[]));
        let index = Built::index(&[(&children[0], PLATFORMS[0]), (&children[1], PLATFORMS[1])]);
        self.push(&index, tags);
        index
    }

    fn push(&mut self, built: &Built, tags: &[&str]) {
        built.push(self.repository, tags, self.at);
    }

    /// Attaches by `subject`, and by a tag where the registry does not list what is attached.
    fn attach(&mut self, text: &str, kind: &'static str, subject: &Manifest) {
        let referrer = Built::attached(text, kind, subject);
        self.push(&referrer, &[]);
        if !self.listed {
            let tag = format!("sha256-{}", subject.digest.hex());
            let before = self.repository.find(&tag).map(|index| index.manifest.children().to_vec());
            let mut attached: Vec<_> = before
                .iter()
                .flatten()
                .filter_map(|digest| self.repository.image(digest))
                .map(|it| it.manifest.clone())
                .collect();
            attached.push(referrer.manifest);
            self.repository.push(&Manifest::attachments(&attached), &[&tag], self.at);
        }
    }
}

/// OCI indexes. Every second release is signed by tag, the others by `subject`, with an SBOM.
fn app(builder: &mut Builder, number: u64) {
    let version = format!("v1.{}.{}", number / 5, number % 5);
    let tags = [version.as_str(), "latest"];
    let index = builder.index(Kind::Oci, number, &tags).manifest;
    let text = format!("{} {version}", builder.name);
    if number.is_multiple_of(2) {
        let tag = format!("sha256-{}.sig", index.digest.hex());
        builder.push(&Built::cosign(index.digest), &[&tag]);
    } else {
        builder.attach(&format!("signature of {text}"), SIGNATURE, &index);
        builder.attach(&format!("SBOM of {text}"), SBOM, &index);
    }
}

/// Docker's lists, each with several tags.
fn web(builder: &mut Builder, number: u64) {
    let (minor, patch) = (number / 4, number % 4);
    let tags = [format!("2.{minor}.{patch}"), format!("2.{minor}"), "2".into(), "stable".into()];
    builder.index(Kind::Docker, number, &tags.each_ref().map(String::as_str));
}

/// One platform, a tag per build; every third build lost its only tag to the next.
fn ci(builder: &mut Builder, number: u64) {
    let image = builder.image(Kind::Docker, PLATFORMS[0], number, builder.at);
    let build = format!("build-{}", 100 + number);
    let tags = if number % 3 == 2 { vec!["main"] } else { vec![build.as_str(), "main"] };
    builder.push(&image, &tags);
}

/// Reproducible builds, which do not say when they were made.
fn reproducible(builder: &mut Builder, number: u64) {
    let image = builder.image(Kind::Oci, PLATFORMS[0], number, DateTime::UNIX_EPOCH);
    builder.push(&image, &[&format!("r{number}")]);
}

/// Helm charts: no image, and no date.
fn chart(builder: &mut Builder, number: u64) {
    let version = format!("0.{number}.0");
    let config = format!(r#"{{"name":"app","version":"{version}","apiVersion":"v2"}}"#);
    let content = Recipe::File(format!("chart {version}").into());
    let kinds = ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
    builder.push(&Built::artifact((&config, kinds.0), content, kinds.1), &[&version]);
}
