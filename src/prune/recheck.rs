//! Compares a plan with its store as it is now. An image that changed since the plan was made is refused, and so is
//! everything that belongs to it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    Evidence, Guards, Row, Stock,
    graph::{Bond, Graph, called, may_hold},
    inventory::identity,
    shared::taken_from_kept,
};
use crate::{
    error::{Error, Kind, Result},
    image::ImageId,
    store::{Condition, Difference, Hold, Image},
};

/// An image to delete, as it was when the plan was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Its digest, or the provider's id.
    pub id: String,
    pub was: Condition,
    /// How many images were attached to it.
    pub attached: usize,
    /// When imgctl last read its manifest. Services count that as a pull.
    pub read_at: Option<DateTime<Utc>>,
}

/// When an image may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub pass: usize,
    /// Places in the plan of the images that must be deleted first.
    pub after: Vec<usize>,
}

impl Saved {
    /// Of a row and its image; `None` if the image has neither digest nor id.
    pub fn of(row: &Row, image: &Image, read_at: Option<DateTime<Utc>>) -> Option<Self> {
        Some(Self { id: identity(image)?.to_owned(), was: image.into(), attached: row.attached, read_at })
    }

    pub fn image_id(&self) -> ImageId {
        self.id.parse().map_or_else(|_| ImageId::Named(self.id.clone()), ImageId::Digest)
    }
}

/// Compares the images that a plan deletes with a fresh, whole listing of their store, including its indexes. A missing
/// image is [`Kind::NotFound`], a changed one [`Kind::Changed`], one in use [`Kind::InUse`].
pub fn recheck(saved: &[Saved], fresh: &Stock, evidence: &Evidence, guards: &Guards) -> Vec<Result<Step>> {
    let images = fresh.images();
    let graph = Graph::of(fresh);
    let found: Vec<Option<usize>> = saved.iter().map(|saved| fresh.place(&saved.id)).collect();
    let tags = images.iter().enumerate();
    let tags = tags.flat_map(|(place, image)| image.tags.iter().map(move |tag| (&**tag, place)));
    let tags: HashMap<&str, usize> = tags.collect();
    let check = |(saved, place): (&Saved, &Option<usize>)| match place {
        None => Err(Error::new(Kind::NotFound, "it no longer exists")),
        Some(place) => check(saved, fresh, *place, (&graph, &tags), evidence, guards),
    };
    let mut verdicts: Vec<Result<()>> = saved.iter().zip(&found).map(check).collect();

    // An image that is not deleted keeps everything that belongs to it.
    let mut saved_at: Vec<Option<usize>> = vec![None; images.len()];
    for (number, place) in found.iter().enumerate() {
        if let (Some(place), Ok(())) = (place, &verdicts[number]) {
            match saved_at[*place] {
                None => saved_at[*place] = Some(number),
                // A refusal of the first would not reach this one.
                Some(_) => verdicts[number] = Err(changed("the plan lists it twice".into())),
            }
        }
    }
    loop {
        let from: Vec<usize> = (0..images.len()).filter(|place| saved_at[*place].is_none()).collect();
        graph.spread(from, |owner, owned, bond| {
            let Some(number) = saved_at[owned].take() else {
                return false;
            };
            let owner = called(&images[owner]);
            verdicts[number] = Err(changed(match bond {
                Bond::Held => format!("needed by {owner}, which stays"),
                Bond::Attached => format!("attached to {owner}, which stays"),
            }));
            true
        });
        let kept = |place: usize| saved_at[place].is_none();
        let taken = taken_from_kept(images, |place| !kept(place));
        if !taken.is_empty() {
            for (place, why) in taken {
                saved_at[place].take().into_iter().for_each(|number| verdicts[number] = Err(changed(why.clone())));
            }
            continue;
        }
        let Some((index, why)) = graph.newest_unreadable(images, kept) else { break };
        let may_need = |place: &usize| !kept(*place) && may_hold(&images[*index], &images[*place]);
        let needed: Vec<usize> = (0..images.len()).filter(may_need).collect();
        if needed.is_empty() {
            break;
        }
        for number in needed.into_iter().filter_map(|place| saved_at[place].take()) {
            let index = called(&images[*index]);
            verdicts[number] = Err(changed(format!("{index} might need it, and could not be read: {why}")));
        }
    }
    let goes: Vec<bool> = saved_at.iter().map(Option::is_some).collect();
    if let Some(stop) = guards.emptied(fresh, &graph, &goes) {
        let refused = |verdict: Result<()>| verdict.and_then(|()| Err(Error::from(stop.clone())));
        return verdicts.into_iter().map(refused).map(|verdict| verdict.map(|()| Step::default())).collect();
    }
    let passes = graph.passes(&goes);
    let step = |(verdict, place): (Result<()>, &Option<usize>)| {
        verdict?;
        let place = place.ok_or_else(|| Error::new(Kind::NotFound, "it no longer exists"))?;
        // Within a circle of attachments, an image waits only for those of earlier passes.
        let owners = graph.owners(place).iter().map(|(owner, _)| *owner).chain(graph.before(images, place));
        let owners = owners.filter(|owner| passes[*owner] < passes[place]);
        let owners = owners.filter_map(|owner| saved_at[owner]);
        Ok(Step { pass: passes[place], after: owners.collect() })
    };
    verdicts.into_iter().zip(&found).map(step).collect()
}

/// Compares one image.
fn check(
    saved: &Saved,
    fresh: &Stock,
    place: usize,
    (graph, tags): (&Graph, &HashMap<&str, usize>),
    evidence: &Evidence,
    guards: &Guards,
) -> Result<()> {
    let image = &fresh.images()[place];
    match Difference::between(&saved.was, image, &HashSet::new(), saved.read_at) {
        None => {}
        Some(Difference::TagRemoved(tag)) if tags.contains_key(&*tag) => {
            let other = called(&fresh.images()[tags[&*tag]]);
            return Err(changed(format!("tag {tag} moved to {other} since the plan was made")));
        }
        Some(what) => return Err(changed(format!("{what} since the plan was made")).code(what.code())),
    }
    if graph.attached(place).count() > saved.attached {
        return Err(changed("a referrer was attached to it since the plan was made".into()));
    }
    if let Some(why) = fresh.doubt_about(image) {
        return Err(Error::new(Kind::Protected, why));
    }
    if let Some(why) = guards.protected(&fresh.store, image) {
        return Err(Error::new(Kind::Protected, why));
    }
    if let Some(why) = evidence.of(&fresh.store, image) {
        return Err(Error::new(Kind::InUse, why));
    }
    if let Some(held) = graph.held(place).into_iter().find_map(|held| evidence.of(&fresh.store, &fresh.images()[held]))
    {
        return Err(Error::new(Kind::InUse, format!("it holds an image that is {held}")));
    }
    match &image.hold {
        Some(Hold::Refused(error)) => Err((**error).clone()),
        Some(Hold::Unsure) => {
            let state = image.state.as_deref().unwrap_or_default();
            Err(changed(format!("its state is \"{state}\", which no document explains")))
        }
        Some(Hold::Going) | None => Ok(()),
    }
}

fn changed(why: String) -> Error {
    Error::new(Kind::Changed, why).hint("make a new plan and review it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::{
        Action, GuardArgs,
        sample::{Shelf, digest, repository},
    };

    const FLAGS: [&str; 2] = ["--older-than", "30d"];

    /// The verdicts of a plan for one shelf when it is run on another.
    fn rechecked(then: Shelf, now: Shelf, evidence: &Evidence) -> Vec<Result<Step, String>> {
        let told = then.prune(&FLAGS);
        let rows = told.plan.stores[0].rows.iter().filter(|row| row.action() == Action::Delete);
        let saved = rows.map(|row| {
            // As in a plan's JSON.
            let text = serde_json::to_string(&*told.stock.images()[row.image]).unwrap();
            Saved::of(row, &serde_json::from_str(&text).unwrap(), None).unwrap()
        });
        let saved: Vec<Saved> = saved.collect();
        // Most of these stores keep nothing that has a tag.
        let guards = GuardArgs { allow_empty: true, ..GuardArgs::default() }.compile().unwrap();
        let verdicts = recheck(&saved, &now.stock(), evidence, &guards).into_iter();
        verdicts.map(|verdict| verdict.map_err(|error| format!("{:?}: {error}", error.kind))).collect()
    }

    fn saved(number: usize, tags: &[&str]) -> Saved {
        let image = Image { tags: tags.iter().map(ToString::to_string).collect(), ..Image::default() };
        Saved { id: digest(number), was: (&image).into(), attached: 0, read_at: None }
    }

    fn then() -> Shelf {
        Shelf::new().index(1, &["a"], 99, &[2]).image(2, &[], 99).image(3, &["b"], 99).image(4, &["keep"], 1)
    }

    #[test]
    fn unchanged_images_are_deleted_in_order() {
        let step = |pass, after: &[usize]| Ok(Step { pass, after: after.to_vec() });
        let verdicts = rechecked(then(), then(), &Evidence::default());
        assert_eq!(verdicts, [step(0, &[]), step(1, &[0]), step(0, &[])]);
    }

    #[test]
    fn a_changed_image_is_refused_and_the_change_named() {
        let child = &digest(2)[..19];
        let table: [(Shelf, [Option<String>; 3]); 8] = [
            (
                Shelf::new().index(1, &["a"], 99, &[2]).image(2, &[], 99).image(3, &["b", "new"], 99),
                [None, None, Some("Changed: it gained the tag new since the plan was made [TagAdded]".into())],
            ),
            (
                Shelf::new().index(1, &["a"], 99, &[2]).image(2, &[], 99).image(3, &[], 99).image(4, &["b"], 1),
                [None, None, Some(format!("Changed: tag b moved to b ({}) since the plan was made", &digest(4)[..19]))],
            ),
            (
                then().index(5, &["fresh"], 0, &[2]),
                [None, Some(format!("Changed: needed by fresh ({}), which stays", &digest(5)[..19])), None],
            ),
            (
                Shelf::new().index(1, &["a", "x"], 99, &[2]).image(2, &[], 99).image(3, &["b"], 99),
                [
                    Some("Changed: it gained the tag x since the plan was made [TagAdded]".into()),
                    Some(format!("Changed: needed by a ({}), which stays", &digest(1)[..19])),
                    None,
                ],
            ),
            (
                then().referrer(9, 0, 3),
                [None, None, Some("Changed: a referrer was attached to it since the plan was made".into())],
            ),
            (
                Shelf::new().index(1, &["a"], 99, &[2]).image(2, &[], 99),
                [None, None, Some("NotFound: it no longer exists".into())],
            ),
            (
                Shelf::new().index(1, &["a"], 99, &[2]).image(2, &["prod"], 99).image(3, &["b"], 99),
                [None, Some("Changed: it gained the tag prod since the plan was made [TagAdded]".into()), None],
            ),
            (
                then().unreadable(9, &["odd"], 0),
                std::array::from_fn(|_| {
                    Some(format!(
                        "Changed: odd ({}) might need it, and could not be read: it is garbled",
                        &digest(9)[..19]
                    ))
                }),
            ),
        ];
        assert_eq!(child.len(), 19);
        for (number, (now, expected)) in table.into_iter().enumerate() {
            let verdicts = rechecked(then(), now, &Evidence::default());
            let refused: Vec<_> = verdicts.into_iter().map(Result::err).collect();
            assert_eq!(refused, expected, "{number}");
        }
    }

    #[test]
    fn an_image_listed_twice_is_refused_both_times_if_it_may_not_be_deleted() {
        let saved = |number| saved(number, &[]);
        // The index is not in the plan, so it keeps what it holds.
        let plan = [saved(2), saved(2)];
        let guards = GuardArgs::default().compile().unwrap();
        let verdicts = recheck(&plan, &then().stock(), &Evidence::default(), &guards);
        assert!(verdicts.iter().all(Result::is_err), "{verdicts:?}");
    }

    #[test]
    fn a_plan_whose_kept_images_have_vanished_deletes_nothing() {
        let now = || Shelf::new().index(1, &["a"], 99, &[2]).image(2, &[], 99).image(3, &["b"], 99);
        let mut plan = [saved(1, &["a"]), saved(2, &[]), saved(3, &["b"])];
        let stock = now().stock();
        plan.iter_mut().zip(stock.images()).for_each(|(saved, image)| saved.was = (&**image).into());
        let guards = GuardArgs::default().compile().unwrap();
        for verdict in recheck(&plan, &stock, &Evidence::default(), &guards) {
            let error = verdict.unwrap_err();
            assert_eq!(error.message, "the plan deletes all 2 tagged images of repository app");
            assert_eq!(error.kind, Kind::Guard);
        }
        let with_another = now().image(4, &["keep"], 1);
        let verdicts = recheck(&plan, &with_another.stock(), &Evidence::default(), &guards);
        assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    }

    #[test]
    fn a_hundred_thousand_moved_tags_are_compared_quickly() {
        let (mut shelf, mut plan) = (Shelf::new(), Vec::new());
        for number in 0..100_000 {
            shelf = shelf.image(number, &[], 99);
            plan.push(saved(number, &[&format!("build-{number}")]));
        }
        let (stock, guards) = (shelf.stock(), GuardArgs::default().compile().unwrap());
        let begin = std::time::Instant::now();
        let verdicts = recheck(&plan, &stock, &Evidence::default(), &guards);
        // Allows for a debug build on a busy machine.
        assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
        assert!(verdicts.iter().all(Result::is_err));
    }

    #[test]
    fn an_image_in_use_by_now_is_refused_with_its_index() {
        let mut evidence = Evidence::default();
        evidence.id_in(&repository("app"), &digest(2), "in use, pods.json line 7");
        let verdicts = rechecked(then(), then(), &evidence);
        let refused: Vec<_> = verdicts.into_iter().map(Result::err).collect();
        assert_eq!(
            refused,
            [
                Some("InUse: it holds an image that is in use, pods.json line 7".into()),
                Some("InUse: in use, pods.json line 7".into()),
                None
            ]
        );
    }
}
