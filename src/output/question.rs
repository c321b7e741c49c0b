//! The confirmation prompt: what imgctl would delete, and from which stores. Pure.

use std::sync::Arc;

use super::{
    SANDBOX,
    human::{count, freed},
    safe,
};
use crate::{
    engine::{Outcome, Session},
    error::{Error, Kind, Result},
    image::StoreRef,
    report::{Item, Sizes},
    store::Storage,
};

/// A store to delete from, and the owner of the credentials, as far as known without a call.
pub struct Place {
    pub home: StoreRef,
    /// The access key's id, shortened.
    pub caller: Option<String>,
    /// Whether it is in `imgctl sandbox`, where somebody works with one.
    pub sandbox: Option<bool>,
}

impl Place {
    pub fn of(session: &Session) -> Self {
        let (store, sandbox) = (&session.store, session.sandbox);
        Self { home: Arc::unwrap_or_clone(store.home()), caller: store.caller(), sandbox }
    }
}

/// One question for the whole plan, or an error if the plan deletes nothing.
///
/// `shown` is what the plan frees, if the plan says so.
pub fn question(
    items: &[Item],
    archive: bool,
    shown: Option<Sizes>,
    places: impl IntoIterator<Item = Place>,
) -> Result<String> {
    let mut sizes = Sizes::default();
    items.iter().filter(|item| item.outcome == Some(Outcome::WouldDelete)).for_each(|item| sizes.add(item));
    let sizes = shown.filter(|_| sizes.images > 0).unwrap_or(sizes);
    let mut archived = Sizes::default();
    items.iter().filter(|item| item.outcome == Some(Outcome::WouldArchive)).for_each(|item| archived.add(item));
    let tags = items.iter().filter(|item| item.outcome == Some(Outcome::WouldUntag)).count();
    let taken = |parts: bool| {
        let things = items.iter().flat_map(|item| &item.takes_along);
        things.filter(|thing| matches!(thing.kind.as_str(), "image" | "referrer") == parts).count()
    };
    let (parts, around) = (taken(true), taken(false));
    let mut what = Vec::new();
    if sizes.images > 0 {
        what.push(format!("delete {}, {},", count(sizes.images, "image"), freed(&sizes)));
    }
    if archived.images > 0 {
        what.push(format!("archive {}", count(archived.images, "image")));
    }
    if tags > 0 {
        what.push(format!("remove {} from images that stay", count(tags, "tag")));
    }
    if parts > 0 {
        what.push(format!("delete {} that it holds or that are attached", count(parts, "more image")));
    }
    if around > 0 {
        what.push(format!("delete the {around} groups and machines around them"));
    }
    if what.is_empty() {
        return Err(Error::new(
            Kind::Guard,
            match archive {
                true => "nothing to archive: none of these images can be archived",
                false => "nothing to delete: none of these images can be deleted",
            },
        ));
    }
    Ok(asked(&what, places))
}

/// The question of a restore: images that come back, images of the archive, and tags.
pub fn restoring(items: &[Item], tags: usize, places: impl IntoIterator<Item = Place>) -> String {
    let images = items.iter().filter(|item| item.outcome == Some(Outcome::WouldRestore));
    let (archived, stored): (Vec<_>, Vec<_>) = images.partition(|item| item.image.storage != Storage::Standard);
    let mut what = Vec::new();
    if !stored.is_empty() {
        what.push(format!("restore {}", count(stored.len(), "image")));
    }
    if !archived.is_empty() {
        what.push(format!(
            "take {} out of the archive, which the provider charges for,",
            count(archived.len(), "image")
        ));
    }
    if tags > 0 {
        what.push(format!("put back {}", count(tags, "tag")));
    }
    asked(&what, places)
}

/// `Delete 2 images and remove 1 tag in AWS ECR eu-west-1 …?`
fn asked(what: &[String], places: impl IntoIterator<Item = Place>) -> String {
    let mut named: Vec<String> = Vec::new();
    for place in places {
        let place = place.to_string();
        if !named.contains(&place) {
            named.push(place);
        }
    }
    let sentence = format!("{} in {}?", what.join(" and "), named.join(" and "));
    // Names in it may come from a service.
    safe(&(sentence[..1].to_uppercase() + &sentence[1..])).into_owned()
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { home, caller, sandbox } = self;
        if *sandbox == Some(true) {
            write!(f, "{SANDBOX} ")?;
        }
        let title = home.provider.title();
        if let (None, Some(host)) = (&home.owner, home.registry_host()) {
            // A registry is known by its host alone.
            let caller = caller.as_ref().map(|caller| format!(" as {caller}"));
            return write!(f, "{title} {host}{}", caller.unwrap_or_default());
        }
        write!(f, "{title} {} of ", home.region.as_deref().unwrap_or_default())?;
        match (&home.owner, caller) {
            (Some(owner), _) => write!(f, "{} {owner}", home.provider.owner_word()),
            (None, Some(caller)) => write!(f, "the account of key {caller}"),
            (None, None) => f.write_str("an unknown account"),
        }?;
        // Whoever works with the sandbox expects it.
        f.write_str(if *sandbox == Some(false) { ", NOT in the sandbox" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::Provider, store::Image};

    fn item(outcome: Outcome, bytes: Option<u64>) -> Item {
        let image = Image { bytes, ..Image::default() };
        Item { image: image.into(), outcome: Some(outcome), ..Item::new(StoreRef::of(Provider::Ecr)) }
    }

    fn place(region: &str, owner: Option<&str>, caller: Option<&str>) -> Place {
        let home = StoreRef { owner: owner.map(Into::into), ..StoreRef::of(Provider::Ecr).with_region(region) };
        Place { home, caller: caller.map(Into::into), sandbox: None }
    }

    #[test]
    fn a_question_names_counts_and_each_place_once() {
        use Outcome::{WouldDelete, WouldRefuse, WouldUntag};
        let items = [item(WouldDelete, Some(1 << 30)), item(WouldUntag, None), item(WouldRefuse, Some(9))];
        let known = || place("eu-west-1", Some("123456789012"), None);
        let asked = question(&items, false, None, [known(), known(), place("eu-west-2", None, Some("AKIA…"))]).unwrap();
        let places = "AWS ECR eu-west-1 of account 123456789012 and AWS ECR eu-west-2 of the account of key AKIA…";
        let what = "Delete 1 image, which frees at most 1.0 GiB, and remove 1 tag from images that stay";
        assert_eq!(asked, format!("{what} in {places}?"));
    }

    #[test]
    fn a_place_in_the_sandbox_is_marked_and_another_beside_it_too() {
        let items = [item(Outcome::WouldDelete, None)];
        let at = |region, sandbox| Place { sandbox, ..place(region, Some("1"), None) };
        let asked = |places: [Place; 2]| question(&items, false, None, places).unwrap();
        let mixed = asked([at("eu-west-1", Some(true)), at("eu-west-2", Some(false))]);
        let expected =
            "[sandbox] AWS ECR eu-west-1 of account 1 and AWS ECR eu-west-2 of account 1, NOT in the sandbox?";
        assert!(mixed.ends_with(expected), "{mixed}");
        let real = asked([at("eu-west-1", None), at("eu-west-2", None)]);
        assert!(!real.contains("sandbox"), "{real}");
    }

    #[test]
    fn an_image_with_three_tags_counts_once_in_the_question() {
        let item = |tag: &str| Item {
            image: Image { digest: Some("sha256:1".into()), bytes: Some(103 << 20), ..Image::default() }.into(),
            outcome: Some(Outcome::WouldDelete),
            ..Item::new(
                Arc::new(StoreRef::of(Provider::Ecr).with_name("app")).image(crate::image::ImageId::Tag(tag.into())),
            )
        };
        let asked = question(&["a", "b", "c"].map(item), false, None, [place("eu-west-1", None, None)]).unwrap();
        assert!(asked.starts_with("Delete 1 image, which frees at most 103 MiB, in "), "{asked}");
    }

    #[test]
    fn escapes_in_an_account_do_not_reach_the_terminal() {
        let places = [place("eu-west-1", Some("\u{1b}[2J"), None)];
        let asked = question(&[item(Outcome::WouldDelete, None)], false, None, places).unwrap();
        assert!(!asked.contains('\u{1b}'), "{asked}");
    }

    #[test]
    fn without_anything_to_delete_there_is_no_question() {
        let refused = question(&[item(Outcome::WouldRefuse, None)], false, None, [place("eu-west-1", None, None)]);
        assert_eq!(refused.unwrap_err().kind, Kind::Guard);
    }
}
