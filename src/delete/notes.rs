//! What a user must know before a run: what the archive costs, and what can be undone. Pure.

use std::{borrow::Borrow, collections::BTreeMap};

use crate::{
    engine::Outcome,
    image::Provider,
    output::human::count,
    report::{Item, Undo},
};

/// What a plan does with the images of one provider.
#[derive(Default)]
struct Counts {
    archived: usize,
    archived_indexes: usize,
    restorable: usize,
    lost: usize,
}

/// A line for each provider and each thing to know about the plan.
pub fn notes(items: impl IntoIterator<Item = impl Borrow<Item>>) -> Vec<String> {
    let mut counts: BTreeMap<Provider, Counts> = BTreeMap::new();
    for item in items {
        let item = item.borrow();
        let of = counts.entry(item.reference.store().provider).or_default();
        match (item.outcome, item.undo) {
            (Some(Outcome::WouldArchive), _) => {
                of.archived += 1;
                of.archived_indexes += usize::from(item.image.is_index());
            }
            (_, Some(Undo::WhileLayersStay)) => of.restorable += 1,
            (_, Some(Undo::Impossible)) => of.lost += 1,
            _ => {}
        }
    }
    counts.into_iter().flat_map(|(provider, counts)| lines(provider, &counts)).collect()
}

fn lines(provider: Provider, counts: &Counts) -> Vec<String> {
    let archive = provider.archive().filter(|_| counts.archived > 0);
    let costs = archive.map(|archive| format!("archive: {}", archive.costs));
    let indexes = archive.filter(|_| counts.archived_indexes > 0);
    let indexes = indexes.map(|archive| format!("archive: {}", archive.indexes));
    let deletes = counts.restorable + counts.lost > 0;
    let race = provider.race().filter(|_| deletes).map(|race| format!("tags: {race}"));
    let until = provider.undo().filter(|_| counts.restorable > 0);
    let until = until.map(|until| format!("undo: `imgctl restore` can restore deleted images {until}"));
    let lost = (counts.lost > 0)
        .then(|| format!("undo: {} cannot restore {} of this plan", provider.title(), count(counts.lost, "image")));
    [costs, indexes, race, until, lost].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::StoreRef,
        store::{Image, Storage},
    };

    fn item(provider: Provider, outcome: Outcome, storage: Storage) -> Item {
        let mut item =
            Item { image: Image { storage, ..Image::default() }.into(), ..Item::new(StoreRef::of(provider)) };
        item.ends_with(outcome);
        item
    }

    #[test]
    fn each_provider_says_once_what_can_be_undone() {
        use Outcome::{WouldArchive, WouldDelete, WouldUntag};
        let item = |provider, outcome| item(provider, outcome, Storage::Standard);
        for (items, said) in [
            (vec![item(Provider::Ecr, WouldUntag)], vec![]),
            (vec![item(Provider::Ecr, WouldDelete); 3], vec!["undo: `imgctl restore` can restore deleted images as"]),
            (
                vec![item(Provider::Oci, WouldDelete); 2],
                vec!["tags: a tag that someone gives", "undo: `imgctl restore` can restore deleted images until"],
            ),
            (vec![item(Provider::Oci, WouldUntag)], vec![]),
            (vec![item(Provider::Cvm, WouldDelete); 2], vec!["undo: Tencent Cloud CVM cannot restore 2 images"]),
            (vec![item(Provider::Ecr, WouldArchive)], vec!["archive: frees nothing: AWS charges"]),
        ] {
            let lines = notes(&items);
            assert_eq!(lines.len(), said.len(), "{lines:?}");
            assert!(lines.iter().zip(&said).all(|(line, said)| line.starts_with(said)), "{lines:?}");
        }
    }

    #[test]
    fn a_deleted_image_of_the_archive_cannot_be_restored() {
        let lines = notes([item(Provider::Ecr, Outcome::WouldDelete, Storage::Archived)]);
        assert_eq!(lines, ["undo: AWS ECR cannot restore 1 image of this plan"]);
    }
}
