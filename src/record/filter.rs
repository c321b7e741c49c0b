//! Chooses runs and images of the record: by time, store, image or plan.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::{
    brief::Brief,
    form::{Saved, Source},
    read::Recorded,
};
use crate::{
    error::{Error, Result},
    image::{ImageId, ImageRef, StoreRef, patterns::Pattern},
    prune::Age,
};

#[derive(clap::Args, Clone, Debug, Default)]
pub struct FilterArgs {
    /// Only runs that began after this age or date (UTC): `7d`, `2026-01-31`
    #[arg(long, value_name = "AGE")]
    since: Option<Age>,
    /// Only runs that began before this age or date (UTC)
    #[arg(long, value_name = "AGE")]
    until: Option<Age>,
    /// Only runs that changed this store: `ecr:team/*`, `cvm:`
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// Only runs that changed this image, by tag, digest or id
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Only runs of this saved plan, or of this policy file as it is now
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

/// The same, compiled.
#[derive(Default)]
pub struct Filter {
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// The pattern is that of its name, where stores have names.
    store: Option<(StoreRef, Option<Pattern>)>,
    image: Option<ImageRef>,
    plan: Option<Source>,
}

impl FilterArgs {
    pub fn compile(&self, now: DateTime<Utc>) -> Result<Filter> {
        let moment = |age: &Option<Age>| age.as_ref().map(|age| age.moment(now)).transpose();
        let store = self.store.as_ref().map(|text| {
            let store: StoreRef = text.parse()?;
            let pattern = (!store.name.is_empty()).then(|| store.pattern()).transpose()?;
            Ok::<_, Error>((store, pattern))
        });
        Ok(Filter {
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            store: store.transpose()?,
            image: self.image.as_ref().map(|text| text.parse().map_err(Error::from)).transpose()?,
            plan: self.plan.as_deref().map(Source::of_file).transpose()?,
        })
    }
}

impl Filter {
    /// Whether it asks about single images.
    pub fn needs_images(&self) -> bool {
        self.image.is_some()
    }

    /// Whether a run can match that began then.
    pub fn takes_time(&self, began_at: DateTime<Utc>) -> bool {
        self.since.is_none_or(|since| began_at >= since) && self.until.is_none_or(|until| began_at < until)
    }

    /// Whether a run matches, but for its images.
    pub fn takes_run(&self, run: &Brief) -> bool {
        let sources = || run.plan.iter().chain(&run.policy);
        let by_plan = self.plan.as_ref().is_none_or(|plan| sources().any(|source| source.digest == plan.digest));
        let stores = || run.stores.iter().filter_map(|store| store.parse::<StoreRef>().ok());
        by_plan && (self.store.is_none() || stores().any(|store| self.takes_store(&store)))
    }

    /// Whether an image matches.
    pub fn takes_image(&self, image: &Recorded) -> bool {
        let text = image.saved.as_ref().map(|saved| &saved.reference);
        let text = text.or_else(|| image.ended.as_ref()?.reference.as_ref());
        let Some(reference) = text.and_then(|text| text.parse::<ImageRef>().ok()) else {
            return self.store.is_none() && self.image.is_none();
        };
        let is_named = |wanted: &ImageRef| {
            in_store(&wanted.store, &reference.store)
                && wanted.store.name == reference.store.name
                && is_of(&wanted.id, &reference.id, image.saved.as_ref())
        };
        self.takes_store(&reference.store) && self.image.as_ref().is_none_or(is_named)
    }

    fn takes_store(&self, store: &StoreRef) -> bool {
        self.store.as_ref().is_none_or(|(wanted, pattern)| {
            in_store(wanted, store) && pattern.as_ref().is_none_or(|pattern| pattern.matches(&store.name))
        })
    }
}

/// Whether a store is where the wanted one is, as far as that says.
fn in_store(wanted: &StoreRef, store: &StoreRef) -> bool {
    let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || is.is_none() || wanted == is;
    wanted.provider == store.provider && same(&wanted.owner, &store.owner) && same(&wanted.region, &store.region)
}

/// Whether the call about an image removed this name of it.
fn is_of(wanted: &ImageId, sent: &ImageId, saved: Option<&Saved>) -> bool {
    let by_tag =
        |tag: &str| sent.tag() == Some(tag) || saved.is_some_and(|saved| saved.tags().iter().any(|other| other == tag));
    let by_digest =
        |digest| sent.digest() == Some(digest) || saved.is_some_and(|saved| saved.digest().as_ref() == Some(digest));
    match wanted {
        ImageId::Named(_) => wanted == sent,
        ImageId::Tag(tag) => by_tag(tag),
        ImageId::Digest(digest) => by_digest(digest),
        ImageId::TagAt(tag, digest) => by_tag(tag) && by_digest(digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::Digest, record::form::tests::saved, store::Image};

    fn recorded(reference: &str, tags: &[&str]) -> Recorded {
        let digest = Some(Digest::sha256_of(b"{}").to_string());
        let image = Image { digest, tags: tags.iter().map(ToString::to_string).collect(), ..Image::default() };
        Recorded {
            n: 0,
            saved: Some(Saved { reference: reference.into(), image: image.into(), ..saved() }),
            request_ids: Vec::new(),
            ended: None,
        }
    }

    fn takes(image: &Recorded, store: Option<&str>, name: Option<&str>) -> bool {
        let args = FilterArgs { store: store.map(Into::into), image: name.map(Into::into), ..FilterArgs::default() };
        args.compile(Utc::now()).unwrap().takes_image(image)
    }

    #[test]
    fn an_image_is_found_by_each_name_that_went_and_by_no_other() {
        let digest = Digest::sha256_of(b"{}");
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app";
        let whole = recorded(&format!("{host}@{digest}"), &["v1", "latest"]);
        let tag = recorded(&format!("{host}:v1"), &["v1", "latest"]);
        for (name, of_whole, of_tag) in [
            ("ecr:team/app:v1".to_owned(), true, true),
            ("ecr:team/app:latest".into(), true, false),
            ("ecr:team/app:v2".into(), false, false),
            ("ecr:team/other:v1".into(), false, false),
            ("ecr://eu-west-1/team/app:v1".into(), true, true),
            ("ecr://us-east-1/team/app:v1".into(), false, false),
            (format!("{host}:v1"), true, true),
            (format!("ecr:team/app@{digest}"), true, true),
            (format!("ecr:team/app:v1@{digest}"), true, true),
            (format!("ecr:team/app@{}", Digest::sha256_of(b"other")), false, false),
            ("cvm:img-6pb6lrmy".into(), false, false),
        ] {
            assert_eq!(
                (takes(&whole, None, Some(&name)), takes(&tag, None, Some(&name))),
                (of_whole, of_tag),
                "{name}"
            );
        }
        let machine = recorded("cvm://ap-guangzhou/img-6pb6lrmy", &[]);
        assert!(takes(&machine, None, Some("cvm:img-6pb6lrmy")));
        assert!(!takes(&machine, None, Some("cvm://ap-beijing/img-6pb6lrmy")));
    }

    #[test]
    fn a_store_is_a_pattern_and_a_provider_is_all_its_stores() {
        let image = recorded("ecr://eu-west-1/team/app:v1", &[]);
        for (store, taken) in [
            ("ecr:team/*", true),
            ("ecr:team/app", true),
            ("ecr:**", true),
            ("ecr:app", false),
            ("ecr://us-east-1/team/*", false),
            ("cvm:", false),
        ] {
            assert_eq!(takes(&image, Some(store), None), taken, "{store}");
        }
        let machine = recorded("cvm://ap-guangzhou/img-6pb6lrmy", &[]);
        assert!(takes(&machine, Some("cvm:"), None) && !takes(&machine, Some("cvm://ap-beijing/"), None));
    }
}
