//! Records which images the users of container images use, by digest and by the tag's image as it is now.

use std::collections::{BTreeSet, HashMap};

use super::{Evidence, Stock, inventory::identity};
use crate::{
    image::Located,
    store::{User, Uses},
};

/// What users name in some stores.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Images of these stores that are in use.
    pub images: usize,
    /// What users name in these stores that is not there, each with its first user.
    pub missing: Vec<(String, String)>,
}

/// Records the images of these stores that users name. A digest counts in every store: a replica has the same.
pub fn record<'s>(users: &[User], stocks: impl IntoIterator<Item = &'s Stock>, evidence: &mut Evidence) -> Used {
    let stocks: Vec<(&Stock, HashMap<&str, &str>)> = stocks.into_iter().map(|stock| (stock, tags(stock))).collect();
    let mut found: BTreeSet<(usize, &str)> = BTreeSet::new();
    let mut missing: Vec<(String, String)> = Vec::new();
    for User { who, uses } in users {
        let (name, digest) = match uses {
            Uses::Named(name) => match name.rsplit_once('@') {
                Some((name, digest)) => (Some(name), Some(digest)),
                None => (Some(name.as_str()), None),
            },
            Uses::Digest(digest) => (None, Some(digest.as_str())),
            Uses::Image(_) | Uses::Family(_) => continue,
        };
        let name = name.map(host_in_lower_case);
        // A name without a registry is of another registry.
        let located = name.as_deref().map(Located::of).filter(|located| located.provider.is_some());
        for (place, (stock, tags)) in stocks.iter().enumerate() {
            let is_here =
                |located: &&Located| located.repository == stock.store.name && located.may_be_in(&stock.store);
            let here = located.as_ref().filter(is_here);
            // Without digest and tag, `latest` is pulled.
            let tag = here.and_then(|located| located.tag.or(digest.is_none().then_some("latest")));
            let by_digest = digest.and_then(|digest| identity(stock.find(digest)?));
            let by_tag = tag.and_then(|tag| tags.get(tag).copied());
            for id in [by_digest, by_tag].into_iter().flatten() {
                evidence.id_in(&stock.store, id, format!("in use, {who}"));
                found.insert((place, id));
            }
            if let (Some(_), None, None, Uses::Named(name)) = (here, by_digest, by_tag, uses)
                && missing.iter().all(|(known, _)| known != name)
            {
                missing.push((name.clone(), who.clone()));
            }
        }
    }
    Used { images: found.len(), missing }
}

/// The image that each tag of a store points to.
fn tags(stock: &Stock) -> HashMap<&str, &str> {
    let images = stock.images().iter().filter_map(|image| Some((&image.tags, identity(image)?)));
    images.flat_map(|(tags, id)| tags.iter().map(move |tag| (tag.as_str(), id))).collect()
}

/// A registry's host is the same in any case.
fn host_in_lower_case(name: &str) -> String {
    match name.split_once('/') {
        Some((host, path)) if host.contains('.') => format!("{}/{path}", host.to_ascii_lowercase()),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::sample::{Shelf, digest};

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    /// What a user of an image keeps, as `STORE/NUMBER`, and how many names lead nowhere.
    fn kept(uses: Uses) -> (Vec<String>, usize) {
        let stocks = [
            Shelf::named("team/app").image(1, &["v1"], 1).image(2, &["latest"], 1).image(3, &[], 1).stock(),
            Shelf::named("other").image(1, &["v1"], 1).stock(),
        ];
        let mut evidence = Evidence::default();
        let used = record(&[User { who: "w".into(), uses }], &stocks, &mut evidence);
        let mut kept = Vec::new();
        for stock in &stocks {
            for image in stock.images().iter().filter(|image| evidence.of(&stock.store, image) == Some("in use, w")) {
                let number = identity(image).unwrap().trim_start_matches("sha256:").trim_start_matches('0');
                kept.push(format!("{}/{number}", stock.store.name));
            }
        }
        assert_eq!(used.images, kept.len());
        (kept, used.missing.len())
    }

    #[test]
    fn a_name_keeps_its_digest_wherever_it_is_and_its_tag_where_it_is_named() {
        let named = |name: String| kept(Uses::Named(name));
        let (one, three) = (digest(1), digest(3));
        let nothing: [&str; 0] = [];
        assert_eq!(named(format!("{HOST}/team/app:v1")), (vec!["team/app/1".into()], 0));
        assert_eq!(named(format!("{}/team/app:v1", HOST.to_uppercase())), (vec!["team/app/1".into()], 0));
        assert_eq!(named(format!("{HOST}/team/app")), (vec!["team/app/2".into()], 0));
        assert_eq!(named(format!("{HOST}/team/app@{three}")), (vec!["team/app/3".into()], 0));
        assert_eq!(named(format!("{HOST}/team/app:v1@{three}")), (vec!["team/app/1".into(), "team/app/3".into()], 0));
        let inspected = format!("ecr://123456789012@eu-west-1/team/app@{three}");
        assert_eq!(named(inspected), (vec!["team/app/3".into()], 0));
        // A replica, or another account's copy.
        let elsewhere = format!("999999999999.dkr.ecr.us-east-1.amazonaws.com/team/app:v1@{one}");
        assert_eq!(named(elsewhere), (vec!["team/app/1".into(), "other/1".into()], 0));
        assert_eq!(kept(Uses::Digest(three)), (vec!["team/app/3".into()], 0));
        for (name, missing) in [
            (format!("{HOST}/team/app:v9"), 1),
            (format!("{HOST}/team/app@{}", digest(9)), 1),
            (format!("{}/team/app:v1", HOST.replace("eu-west-1", "eu-west-2")), 0),
            (format!("{}/team/app:v1", HOST.replace("123456789012", "999999999999")), 0),
            ("team/app:v1".into(), 0),
            ("public.ecr.aws/team/app:v1".into(), 0),
        ] {
            let (kept, led_nowhere) = named(name.clone());
            assert_eq!((kept, led_nowhere), (nothing.map(str::to_owned).into(), missing), "{name}");
        }
    }
}
