//! What a plan says about deletions that a registry repeats in others.

use std::sync::Arc;

use crate::{
    engine::Copies,
    error::Error,
    image::StoreRef,
    prune::Stop,
    store::{Ask, Replica},
    words,
};

/// `deletions in ecr:team/app are replicated to us-east-1 of account 123456789012`
pub fn copied(store: &StoreRef, replicas: &[Replica]) -> String {
    format!("deletions in {store} are replicated to {}", places(replicas))
}

pub fn not_known(store: &StoreRef, error: &Error) -> String {
    format!("unknown whether deletions in {store} are replicated: {error}")
}

/// The guard that stops a run without --replicated.
pub fn not_allowed(store: &StoreRef, replicas: &[Replica]) -> Stop {
    Stop {
        guard: "replicated".into(),
        message: copied(store, replicas),
        hint: "nothing was sent; allow it with --replicated".into(),
    }
}

fn places(replicas: &[Replica]) -> String {
    let places: Vec<_> =
        replicas.iter().map(|Replica { region, account }| format!("{region} of account {account}")).collect();
    if places.len() <= 3 { places.join(" and ") } else { words::some(&places) }
}

/// What is deleted elsewhere too may be in use there. Other accounts cannot be asked with the same credentials.
pub fn asked_there<'c>(ask: &Ask, copies: impl Iterator<Item = (Arc<StoreRef>, &'c Copies)>) -> Ask {
    let mut ask = ask.clone();
    for (home, copies) in copies {
        let Copies::In(replicas) = copies else { continue };
        let own = replicas.iter().filter(|replica| Some(&replica.account) == home.owner.as_ref());
        ask.regions.extend(own.map(|replica| replica.region.clone()));
    }
    ask
}
