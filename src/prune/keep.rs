//! Ranks images: the newest of each group (`--keep`), and the newest patch of each minor version (`--keep-semver`).

use std::{
    borrow::Borrow,
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use chrono::{DateTime, Utc};

use super::{Selection, inventory::identity, names::labels};
use crate::{image::Provider, store::Image};

/// How `--keep` ranks a candidate for deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Among the newest of this many.
    Kept(usize),
    /// It has no date, so it cannot be ranked and does not count.
    Undated,
    /// Not among the newest of this many.
    Beyond(usize),
}

/// Ranks candidates for deletion: tagged images by `--keep`, untagged ones by `--keep-untagged`, all by `--keep-total`. Each
/// rank comes with its flag. A flag that was not given ranks nothing.
pub fn ranked(
    selection: &Selection,
    provider: Provider,
    images: &[impl Borrow<Image>],
    candidates: Vec<usize>,
) -> Vec<(usize, Rank, (&'static str, usize))> {
    let all = candidates.clone();
    let untagged = |place: &usize| provider.has_containers() && images[*place].borrow().tags.is_empty();
    let (untagged, tagged): (Vec<_>, Vec<_>) = candidates.into_iter().partition(untagged);
    let flags = [
        ("--keep", selection.keep, tagged),
        ("--keep-untagged", selection.keep_untagged, untagged),
        ("--keep-total", selection.keep_total, all),
    ];
    let mut ranks = Vec::new();
    for (flag, keep, going) in flags {
        let Some(keep) = keep else { continue };
        let newest = newest(provider, images, &going, keep).into_iter();
        ranks.extend(newest.map(|(place, rank)| (place, rank, (flag, keep))));
    }
    ranks
}

/// Ranks candidates for deletion within their groups, newest first.
fn newest(provider: Provider, images: &[impl Borrow<Image>], going: &[usize], keep: usize) -> Vec<(usize, Rank)> {
    let image = |place: usize| images[place].borrow();
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for place in going {
        groups.entry(group(provider, image(*place))).or_default().push(*place);
    }
    let mut ranks = Vec::with_capacity(going.len());
    for (_, mut places) in groups {
        // An image that came back from the archive counts from then on.
        let since = |place: &usize| date(image(*place)).max(image(*place).activated_at);
        places.sort_by_key(|place| (Reverse(since(place)), identity(image(*place))));
        let of = places.len();
        let (dated, undated): (Vec<_>, Vec<_>) = places.into_iter().partition(|place| date(image(*place)).is_some());
        ranks.extend(undated.into_iter().map(|place| (place, Rank::Undated)));
        ranks.extend(dated.into_iter().enumerate().map(|(rank, place)| {
            let rank = if rank < keep { Rank::Kept(of) } else { Rank::Beyond(of) };
            (place, rank)
        }));
    }
    ranks
}

pub fn date(image: &Image) -> Option<DateTime<Utc>> {
    image.pushed_at.or(image.created_at).or(image.built_at)
}

/// Which images count together: all of a repository; machine images by family, or by name without its version.
fn group(provider: Provider, image: &Image) -> String {
    if provider.has_containers() {
        return String::new();
    }
    let family = image.family.as_deref().filter(|family| !family.is_empty());
    match (family, image.name.as_deref()) {
        (Some(family), _) => format!("family {family}"),
        (None, Some(name)) => format!("name {}", prefix(name)),
        // Without family and name, it is a group of its own.
        (None, None) => format!("id {}", identity(image).unwrap_or_default()),
    }
}

/// A name without trailing versions, dates and revisions: `web-2025-05-01` and `web-v1.2` are both `web`.
pub fn prefix(name: &str) -> &str {
    let separator = |character: char| matches!(character, '-' | '_' | '.' | ' ' | ':');
    let mut rest = name;
    while let Some(at) = rest.rfind(separator) {
        if !is_version(&rest[at + 1..]) {
            break;
        }
        rest = &rest[..at];
    }
    rest
}

/// Part of a name that changes from version to version: `12`, `v1`, `01T10`, or a commit such as `a1b2c3d`.
fn is_version(part: &str) -> bool {
    let number = part.strip_prefix(['v', 'V']).unwrap_or(part);
    let digits = number.starts_with(|character: char| character.is_ascii_digit());
    let hex = part.chars().all(|character| character.is_ascii_hexdigit());
    // Git abbreviates commits to at least seven digits.
    digits || hex && part.len() >= 7 && part.contains(|character: char| character.is_ascii_digit())
}

/// A release that a tag names. The tag `1.2` moves to the newest patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    minor: (u64, u64),
    patch: Option<u64>,
}

/// Parses `1.2.3`, `v1.2.3` or `1.2`. With a suffix it is a pre-release or a variant, not a release.
/// <https://semver.org/#spec-item-2>
fn release(tag: &str) -> Option<Release> {
    let mut parts = tag.strip_prefix(['v', 'V']).unwrap_or(tag).split('.').map(number);
    let minor = (parts.next()??, parts.next()??);
    let patch = match parts.next() {
        None => None,
        Some(patch) => Some(patch?),
    };
    parts.next().is_none().then_some(Release { minor, patch })
}

fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain)?;
    (text == "0" || !text.starts_with('0')).then_some(number)
}

/// The images that count with the newest patch of each minor version, each with the reason to keep it.
pub fn releases(
    provider: Provider,
    images: &[impl Borrow<Image>],
    counts: impl Fn(usize) -> bool,
) -> HashMap<usize, String> {
    let named = || {
        images.iter().enumerate().filter(|(place, _)| counts(*place)).flat_map(move |(place, image)| {
            labels(provider, image.borrow()).filter_map(move |tag| Some((place, tag, release(tag)?)))
        })
    };
    let mut newest: HashMap<(u64, u64), u64> = HashMap::new();
    for (_, _, release) in named() {
        if let Some(patch) = release.patch {
            let known = newest.entry(release.minor).or_default();
            *known = patch.max(*known);
        }
    }
    let mut kept = HashMap::new();
    for (place, tag, Release { minor, patch }) in named() {
        let (major, small) = minor;
        let why = match patch {
            Some(patch) if newest[&minor] == patch => {
                format!("tag {tag} is the newest patch of {major}.{small}")
            }
            Some(_) => continue,
            None => format!("tag {tag} moves to the newest patch of {major}.{small}"),
        };
        kept.entry(place).or_insert(why);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::{Shelf, machine};

    #[test]
    fn a_name_loses_only_its_version_and_date() {
        for (name, left) in [
            ("web-2025-05-01", "web"),
            ("web-base-v1.2.3", "web-base"),
            ("web_20250501T101500Z", "web"),
            ("web-a1b2c3d", "web"),
            ("web-amd64-12", "web-amd64"),
            ("web-facade", "web-facade"),
            ("ubuntu-22.04-web-15", "ubuntu-22.04-web"),
            ("20250501", "20250501"),
            ("web", "web"),
            ("", ""),
        ] {
            assert_eq!(prefix(name), left, "{name}");
        }
    }

    #[test]
    fn machine_images_are_ranked_by_family_or_name() {
        let images = [
            machine("img-1", "web-1", None, 3),
            machine("img-2", "web-2", None, 2),
            machine("img-3", "x", Some("db"), 9),
            machine("img-4", "y", Some("db"), 8),
            Image { name: None, ..machine("img-5", "", None, 50) },
        ];
        let mut ranks = newest(Provider::Cvm, &images, &[0, 1, 2, 3, 4], 1);
        ranks.sort_by_key(|(place, _)| *place);
        let kept: Vec<_> =
            ranks.iter().filter(|(_, rank)| matches!(rank, Rank::Kept(_))).map(|(place, _)| *place).collect();
        assert_eq!(kept, [1, 3, 4]);
    }

    #[test]
    fn an_image_without_a_date_is_kept_and_does_not_count() {
        let stock = Shelf::new()
            .image(1, &["a"], 5)
            .with(2, &["b"], 0, |image| image.pushed_at = None)
            .image(3, &["c"], 9)
            .stock();
        let mut ranks = newest(Provider::Ecr, stock.images(), &[0, 1, 2], 1);
        ranks.sort_by_key(|(place, _)| *place);
        assert_eq!(ranks, [(0, Rank::Kept(3)), (1, Rank::Undated), (2, Rank::Beyond(3))]);
    }

    #[test]
    fn a_release_is_three_numbers_and_a_pre_release_is_not_one() {
        let tags = [
            "v1.2.3",
            "1.2.4",
            "1.2.5-rc1",
            "1.2.10",
            "1.3.0",
            "2.0.0-alpine",
            "1.3",
            "latest",
            "2024.05.06",
            "12345",
            "1.2.3.4",
        ];
        let shelf = tags.iter().enumerate().fold(Shelf::new(), |shelf, (number, tag)| shelf.image(number, &[tag], 1));
        let kept = releases(Provider::Ecr, shelf.stock().images(), |_| true);
        let mut kept: Vec<_> = kept.keys().map(|place| tags[*place]).collect();
        kept.sort();
        assert_eq!(kept, ["1.2.10", "1.3", "1.3.0"]);
    }

    #[test]
    fn the_reason_names_the_tag_and_its_minor_version() {
        let stock = Shelf::new().image(1, &["stable-ish", "v1.2.3"], 1).stock();
        assert_eq!(releases(Provider::Ecr, stock.images(), |_| true)[&0], "tag v1.2.3 is the newest patch of 1.2");
    }
}
