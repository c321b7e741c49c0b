//! What would be done, store by store: each image asked for is looked at where something depends on it, pinned to
//! what was seen, and sent once however often it was named. Nothing here deletes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    engine::Outcome,
    engine::{Session, Target, Verdict, tags_going},
    error::Result,
    image::{ImageId, ImageRef},
    report::Item,
    store::{Hold, Image},
};

/// What a deletion is asked to do, as far as it changes the plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// A tag stands for its whole image, with all its tags.
    pub all_tags: bool,
    /// A person, or a dry run, will see the plan: everything is looked at.
    pub shown: bool,
}

/// The plan of one store.
pub struct StorePlan {
    pub session: Arc<Session>,
    /// What to delete, each once.
    pub targets: Vec<Target>,
    /// Targets that are on their way out already.
    pub leaving: HashSet<usize>,
    /// Targets that the service said it would refuse, when it was asked beforehand. What was shown so is not sent.
    pub refused: HashMap<usize, Verdict>,
    pub looked_at: Instant,
    /// What was asked for, in order, with its place among all that the run was asked for.
    pub steps: Vec<Step>,
}

/// One image that was asked for.
pub struct Step {
    pub place: usize,
    pub asked: ImageId,
    pub next: Next,
}

/// What happens to it.
pub enum Next {
    /// It goes when this target goes.
    Target(usize),
    /// It ended with the look.
    Ended(Verdict, Option<Box<Image>>),
}

impl StorePlan {
    /// Looks at what must be known, and pins each image to what was seen.
    pub async fn make(session: Arc<Session>, asked: Vec<(usize, ImageId)>, wish: Wish) -> Self {
        let must_look = |id: &ImageId| wish.shown || session.limits.all_or_nothing || !matches!(id, ImageId::Digest(_));
        let names = |id: &ImageId| Target::exact(id.clone()).look_up();
        let mut wanted: Vec<ImageId> = Vec::new();
        let mut known = HashSet::new();
        for (_, id) in asked.iter().filter(|(_, id)| must_look(id)) {
            if known.insert(names(id)) {
                wanted.push(names(id));
            }
        }
        let found = session.get(&wanted).await;
        let seen: HashMap<ImageId, Result<Image>> = wanted.into_iter().zip(found).collect();

        let mut plan = Self {
            session,
            targets: Vec::new(),
            leaving: HashSet::new(),
            refused: HashMap::new(),
            looked_at: Instant::now(),
            steps: Vec::new(),
        };
        let mut places: HashMap<ImageId, usize> = HashMap::new();
        for (place, id) in asked {
            let next = match seen.get(&names(&id)) {
                None => plan.target(&mut places, Target::exact(id.clone())),
                Some(seen) => plan.pin(&mut places, &id, seen.clone(), wish),
            };
            plan.steps.push(Step { place, asked: id, next });
        }
        plan.cover_tags(&places);
        plan
    }

    fn pin(&mut self, places: &mut HashMap<ImageId, usize>, id: &ImageId, seen: Result<Image>, wish: Wish) -> Next {
        let image = match seen {
            Ok(image) => image,
            Err(error) => return Next::Ended(Verdict::not_sent(error), None),
        };
        let hold = image.hold.clone();
        if let Some(Hold::Refused(error)) = hold {
            return Next::Ended(Verdict::failed(error), Some(Box::new(image)));
        }
        match Target::pinned(id, image.clone(), wish.all_tags) {
            Ok(target) => {
                let next = self.target(places, target);
                if let (Some(Hold::Going), Next::Target(target)) = (hold, &next) {
                    self.leaving.insert(*target);
                }
                next
            }
            Err(error) => Next::Ended(Verdict::failed(error), Some(Box::new(image))),
        }
    }

    fn target(&mut self, places: &mut HashMap<ImageId, usize>, target: Target) -> Next {
        let place = *places.entry(target.id.clone()).or_insert_with(|| {
            self.targets.push(target);
            self.targets.len() - 1
        });
        Next::Target(place)
    }

    /// A tag of an image that goes as a whole is not sent as well: it goes with the image.
    fn cover_tags(&mut self, places: &HashMap<ImageId, usize>) {
        let cover: HashMap<usize, usize> = (0..self.targets.len())
            .filter_map(|tag| {
                self.targets[tag].id.tag()?;
                let whole = places.get(&ImageId::Digest(self.targets[tag].digest()?))?;
                Some((tag, *whole))
            })
            .collect();
        if cover.is_empty() {
            return;
        }
        // The places of the targets that stay.
        let mut moved = HashMap::new();
        let mut kept = Vec::new();
        for (place, target) in std::mem::take(&mut self.targets).into_iter().enumerate() {
            if !cover.contains_key(&place) {
                moved.insert(place, kept.len());
                kept.push(target);
            }
        }
        self.targets = kept;
        self.leaving = self.leaving.iter().filter_map(|place| moved.get(place).copied()).collect();
        for step in &mut self.steps {
            if let Next::Target(place) = &mut step.next {
                *place = moved[cover.get(place).unwrap_or(place)];
            }
        }
    }

    /// What each target would come to if all goes well.
    pub fn expected(&self) -> Vec<Outcome> {
        let going = tags_going(&self.targets);
        let nothing = HashSet::new();
        let takes_image = |target: &Target| {
            let tags = target.digest().and_then(|digest| going.get(&digest)).unwrap_or(&nothing);
            target.takes_image(tags)
        };
        let expected = |target| {
            if takes_image(target) { Outcome::WouldDelete } else { Outcome::WouldUntag }
        };
        self.targets.iter().map(expected).collect()
    }

    /// The item that a step has become.
    pub fn item(&self, step: &Step, verdict: Verdict) -> Item {
        let home = self.session.store.home();
        let (id, image) = match &step.next {
            Next::Target(place) => {
                let target = &self.targets[*place];
                let id = match (&step.asked, target.digest()) {
                    // What was asked for by tag is named by the tag and what it pointed to.
                    (ImageId::Tag(tag), Some(digest)) => ImageId::TagAt(tag.clone(), digest),
                    (asked, _) => asked.clone(),
                };
                (id, target.seen.clone())
            }
            Next::Ended(_, image) => (step.asked.clone(), image.as_deref().cloned()),
        };
        let reference = ImageRef { store: home.clone(), id }.to_string();
        let mut item = Item::new(reference, home.provider);
        item.image = image.unwrap_or_default();
        if item.image.digest.is_none() {
            item.image.digest = step.asked.digest().map(ToString::to_string);
        }
        item.end(&home, verdict);
        item
    }
}
