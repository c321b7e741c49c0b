//! Images that follow images of another store of the order, such as signatures in a repository of their own: whom they
//! wait for, and when they are sent.

use std::collections::{HashMap, HashSet};

use super::order::{Going, Next, Order, StoreOrder};
use crate::{
    engine::{Outcome, Verdict},
    error::{Error, Kind},
};

/// A target of an order: the number of its store, and its place there.
pub type Place = (usize, usize);

impl Order<'_> {
    /// Finds out which targets wait for targets of other stores, and refuses those that wait for what stays.
    pub(super) fn follow(&mut self) {
        let waits: Vec<(Place, String)> = self.stores.iter().enumerate().flat_map(follows).collect();
        if waits.is_empty() {
            return;
        }
        let mut places: HashMap<&str, Vec<Place>> = HashMap::new();
        for (number, of) in self.stores.iter().enumerate() {
            let saved = of.chosen.iter().flat_map(|chosen| chosen.saved.iter().enumerate());
            saved.for_each(|(at, saved)| places.entry(&saved.id).or_default().push((number, at)));
        }
        let waits: Vec<_> = waits
            .into_iter()
            .map(|(place, subject)| {
                let elsewhere = places.get(&*subject).into_iter().flatten().filter(|(store, _)| *store != place.0);
                let owners: Vec<Place> = elsewhere.copied().collect();
                (place, subject, owners)
            })
            .collect();
        for ((store, at), subject, owners) in &waits {
            let going = &mut self.stores[*store].goes[*at];
            going.across.clone_from(owners);
            if owners.is_empty() {
                going.refuse(&format!("attached to {subject}, which this run does not delete"));
            }
        }
        // A refusal reaches what waits for it, in this store or another.
        while self.refuse_what_waits_for_what_stays() {}
        self.find_rounds();
    }

    fn refuse_what_waits_for_what_stays(&mut self) -> bool {
        let mut found = Vec::new();
        for (number, of) in self.stores.iter().enumerate() {
            for (at, going) in of.goes.iter().enumerate().filter(|(_, going)| going.refused.is_none()) {
                let owner = going.owners(number).find(|(store, at)| self.stores[*store].goes[*at].stays());
                found.extend(owner.map(|owner| ((number, at), owner)));
            }
        }
        for ((store, at), owner) in &found {
            let owner = self.stores[owner.0].goes[owner.1].target.id.to_string();
            self.stores[*store].goes[*at].refuse(&format!("attached to {owner}, which stays"));
        }
        !found.is_empty()
    }

    /// What waits for another store is sent a round later than that.
    fn find_rounds(&mut self) {
        for last in 0..=self.stores.len() {
            let mut later = Vec::new();
            for (number, of) in self.stores.iter().enumerate() {
                for (at, going) in of.goes.iter().enumerate().filter(|(_, going)| going.refused.is_none()) {
                    let after = going
                        .owners(number)
                        .map(|(store, at)| self.stores[store].goes[at].round + usize::from(store != number));
                    let round = after.max().unwrap_or(0);
                    if round > going.round {
                        later.push(((number, at), round));
                    }
                }
            }
            if later.is_empty() {
                return;
            }
            let circle = last == self.stores.len();
            for ((store, at), round) in later {
                let going = &mut self.stores[store].goes[at];
                going.round = round;
                // Only a plan that was edited by hand can have a circle.
                if circle {
                    going.refuse("it belongs to images that belong to it");
                }
            }
        }
    }

    /// The number of rounds in which targets are sent.
    pub(super) fn rounds(&self) -> usize {
        let rounds = self.stores.iter().flat_map(|of| &of.goes).map(|going| going.round + 1);
        rounds.max().unwrap_or(0)
    }
}

/// The targets of a store that belong to images of other stores, with those.
fn follows((number, of): (usize, &StoreOrder<'_>)) -> Vec<(Place, String)> {
    let Some(chosen) = &of.chosen else { return Vec::new() };
    let here: HashSet<&str> = chosen.saved.iter().map(|saved| &*saved.id).collect();
    let mut found = Vec::new();
    for asked in &of.asked {
        if let (Next::Goes(at), Some(choice)) = (&asked.next, &asked.choice) {
            let elsewhere = choice.needed_by.iter().filter(|owner| !here.contains(owner.as_str()));
            found.extend(elsewhere.map(|owner| ((number, *at), owner.clone())));
        }
    }
    found
}

impl Going {
    /// The targets that must be gone before it is sent.
    pub(super) fn owners(&self, store: usize) -> impl Iterator<Item = Place> {
        self.step.after.iter().map(move |at| (store, *at)).chain(self.across.iter().copied())
    }

    /// It will not be sent, and it is not gone either.
    fn stays(&self) -> bool {
        let refused = self.refused.as_ref().map(|verdict| verdict.outcome);
        refused.is_some_and(|outcome| !matches!(outcome, Outcome::Missing | Outcome::AlreadyArchived))
    }

    fn refuse(&mut self, why: &str) {
        if self.refused.is_none() {
            let error = Error::new(Kind::Changed, why).hint("make a new plan and review it");
            self.refused = Some(Box::new(Verdict::failed(error)));
        }
    }
}
