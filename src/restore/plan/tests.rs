use std::sync::Arc;

use super::*;
use crate::{
    error::Result,
    image::{Provider, StoreRef},
    store::{Image, LayerState, Manifest},
};

fn wish(text: &str, tags: &[&str]) -> Wish {
    let digest = Digest::sha256_of(text.as_bytes());
    Wish {
        store: StoreRef::of(Provider::Ecr).with_name("app").into(),
        manifest: Ok(Arc::new(Manifest { digest: digest.clone(), media_type: None, bytes: text.into() })),
        digest,
        image: Image::default(),
        tags: tags.iter().map(ToString::to_string).collect(),
    }
}

fn image(name: &str) -> Wish {
    let config = Digest::sha256_of(name.as_bytes());
    wish(&format!(r#"{{"config":{{"digest":"{config}"}},"layers":[]}}"#), &[])
}

fn index(of: &[&Wish]) -> Wish {
    let children: Vec<String> = of.iter().map(|wish| format!(r#"{{"digest":"{}"}}"#, wish.digest)).collect();
    wish(&format!(r#"{{"manifests":[{}]}}"#, children.join(",")), &[])
}

fn absent<T>() -> Result<T> {
    Err(Error::new(Kind::NotFound, "absent"))
}

/// A store without images, which still has all layers but those of some.
fn seen(wishes: &[Wish], gone: &[&Wish]) -> Seen {
    let mut seen = Seen::default();
    for wish in wishes {
        seen.images.insert(wish.digest.clone(), absent());
        seen.tags.extend(wish.tags.iter().map(|tag| (tag.clone(), absent())));
        for layer in wish.layers() {
            let state = if gone.iter().any(|gone| gone.digest == wish.digest) { "unavailable" } else { "available" };
            seen.layers.insert(layer, Ok(LayerState { state: state.into(), bytes: None, media_type: None }));
        }
    }
    seen
}

/// The step, level and tags of each plan, in short.
fn told(wishes: &[Wish], seen: &Seen) -> Vec<String> {
    let plans = plan(wishes, seen);
    plans.iter().map(|plan| format!("{} {}", plan.would().outcome.word(), plan.level)).collect()
}

#[test]
fn indexes_come_after_what_they_hold_in_any_order() {
    let (one, two) = (image("one"), image("two"));
    let inner = index(&[&one, &two]);
    let outer = index(&[&inner, &one]);
    let wishes = [outer, two, inner, one];
    let told = told(&wishes, &seen(&wishes, &[]));
    assert_eq!(told, ["would_restore 2", "would_restore 0", "would_restore 1", "would_restore 0"]);
}

#[test]
fn what_holds_a_lost_image_is_refused_and_the_rest_is_not() {
    let (one, two, three) = (image("one"), image("two"), image("three"));
    let inner = index(&[&one, &two]);
    let outer = index(&[&inner]);
    let other = index(&[&three]);
    let wishes = [outer, inner, one, two.clone(), three, other];
    let told = told(&wishes, &seen(&wishes, &[&two]));
    let words: Vec<&str> = told.iter().map(|told| told.split(' ').next().unwrap()).collect();
    assert_eq!(
        words,
        ["would_refuse", "would_refuse", "would_restore", "layers_gone", "would_restore", "would_restore"]
    );
}

#[test]
fn an_index_needs_images_that_the_run_does_not_restore() {
    let child = image("one");
    let whole = index(&[&child]);
    let wishes = [whole];
    let mut seen = seen(&wishes, &[]);
    assert_eq!(told(&wishes, &seen), ["would_refuse 0"]);
    seen.images.insert(child.digest.clone(), Ok(Image::default()));
    assert_eq!(told(&wishes, &seen), ["would_restore 0"]);
}

#[test]
fn a_tag_goes_to_one_image_and_never_moves() {
    let (mut one, mut two) = (image("one"), image("two"));
    one.tags = ["a", "b"].map(String::from).into();
    two.tags = ["a", "c"].map(String::from).into();
    let wishes = [one, two];
    let mut seen = seen(&wishes, &[]);
    seen.tags.insert("b".into(), Ok(Digest::sha256_of(b"elsewhere")));
    seen.tags.insert("c".into(), Ok(wishes[1].digest.clone()));
    let words = |seen: &Seen, place: usize| -> Vec<String> {
        let plans = plan(&wishes, seen);
        let word = |step: &TagStep| match step {
            TagStep::Put => "put".into(),
            TagStep::There => "there".into(),
            TagStep::Ended(verdict) => verdict.outcome.word().to_owned(),
        };
        plans[place].tags.iter().map(|(_, step)| word(step)).collect()
    };
    assert_eq!(words(&seen, 0), ["put", "tag_taken"]);
    // One look shows the tag on an image that the other did not find.
    assert_eq!(words(&seen, 1), ["tag_taken", "put"]);
    seen.images.insert(wishes[1].digest.clone(), Ok(Image::default()));
    assert_eq!(words(&seen, 1), ["tag_taken", "there"]);
}

#[test]
fn an_image_that_is_there_needs_no_manifest() {
    let mut there = image("one");
    there.manifest = Err(Error::new(Kind::Protected, "it was not saved"));
    there.tags = vec!["a".into()];
    for (storage, tag, word) in [
        (Storage::Standard, true, "already_there 0"),
        (Storage::Standard, false, "would_retag 0"),
        (Storage::Archived, true, "would_restore 0"),
        (Storage::Activating, true, "would_restore 0"),
    ] {
        let wishes = [there.clone()];
        let mut seen = seen(&wishes, &[]);
        seen.images.insert(there.digest.clone(), Ok(Image { storage, ..Image::default() }));
        if tag {
            seen.tags.insert("a".into(), Ok(there.digest.clone()));
        }
        assert_eq!(told(&wishes, &seen), [word], "{storage:?}");
    }
    let wishes = [there.clone()];
    assert_eq!(told(&wishes, &seen(&wishes, &[])), ["would_refuse 0"]);
}
