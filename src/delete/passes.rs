//! Deletes what a plan chose in one store: pass by pass, an index before what it holds, and nothing whose owner is
//! still there. Every image is looked at again right before it is sent.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use crate::{
    engine::Outcome,
    engine::{Options, Session, Target, Verdict},
    error::{Error, Kind},
    prune::Step,
    store::Image,
};

/// One image that is to go, and when.
pub struct Going {
    pub image: Image,
    pub step: Step,
}

/// Deletes these, and tells of each exactly once what became of it, by its place.
pub async fn purge(
    session: &Session,
    going: &[Going],
    options: &Options,
    done: &(dyn Fn(usize, Verdict) + Send + Sync),
) {
    // Whatever the plan's maker agreed to, a tag may come between the listing and the call.
    let options = Options { agreed: true, ..options.clone() };
    let ends: Mutex<Vec<Option<Outcome>>> = Mutex::new(vec![None; going.len()]);
    let end = |place: usize, verdict: Verdict| {
        let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends[place] = Some(verdict.outcome);
        drop(ends);
        done(place, verdict);
    };
    let passes = going.iter().map(|going| going.step.pass + 1).max();
    for pass in 0..passes.unwrap_or(0) {
        let mut places = Vec::new();
        for (place, next) in going.iter().enumerate() {
            if next.step.pass != pass {
                continue;
            }
            let blocked = {
                let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
                blocked(&going[place].step, &ends, going)
            };
            match blocked {
                // After an interrupt nobody asks any more whether its owner is gone.
                Some(error) => end(place, Verdict::failed(session.stop.error().unwrap_or(error))),
                None => places.push(place),
            }
        }
        let target = |place: &usize| {
            let image = going[*place].image.clone();
            let id = image.id.clone()?;
            Some(Target { id, seen: Some(image) })
        };
        let (places, targets): (Vec<usize>, Vec<Target>) =
            places.iter().filter_map(|place| Some((*place, target(place)?))).unzip();
        let emit = |at: usize, verdict: Verdict| end(places[at], verdict);
        session.delete(&targets, &HashSet::new(), Instant::now(), &options, &emit).await;
    }
}

/// Why an image must not be sent: what it belongs to is not gone.
fn blocked(step: &Step, ends: &[Option<Outcome>], going: &[Going]) -> Option<Error> {
    let stays = step.after.iter().find(|owner| {
        let gone = matches!(ends[**owner], Some(Outcome::Deleted | Outcome::Gone | Outcome::Missing));
        !gone
    })?;
    if ends[*stays] == Some(Outcome::Skipped) {
        return Some(Error::new(Kind::Stopped, "not tried: the run was stopped").code("Interrupted"));
    }
    let owner = going[*stays].image.digest.as_deref().unwrap_or("an image");
    let message = match ends[*stays] {
        Some(Outcome::Unknown) => {
            format!("it belongs to {owner}, and nobody knows whether that is gone")
        }
        _ => format!("it belongs to {owner}, which was not deleted"),
    };
    Some(Error::new(Kind::InUse, message).code("OwnerNotDeleted"))
}
