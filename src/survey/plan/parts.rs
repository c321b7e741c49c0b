//! The stores of a plan: opens each once, however it is named.

use std::{collections::HashMap, sync::Arc};

use crate::{
    context::{Context, lookup},
    engine::{Copies, Session},
    error::{Error, Kind, Result},
    image::StoreRef,
    prune::rules::{Rules, under_two},
    report::Item,
    store::CacheRule,
};

/// One store of the run, and the number of its rules.
pub struct Part {
    pub session: Arc<Session>,
    pub rules: usize,
    /// What applies to its registry, known if something may be deleted.
    pub copies: Copies,
    pub cache_rule: Option<CacheRule>,
}

/// Opens all stores.
pub async fn open(context: &Context, rules: &[Rules]) -> Result<(Vec<Part>, Vec<Item>)> {
    let (mut parts, mut failed) = (Vec::new(), Vec::new());
    let mut places = HashMap::new();
    for (number, of) in rules.iter().enumerate() {
        for store in &of.stores {
            match lookup::stores(context, store).await {
                Ok(sessions) => {
                    for session in sessions {
                        let home = session.store.home();
                        let told = session.told(&of.clauses.needs()).await;
                        if let Err(error) = told.and_then(|told| of.clauses.answered(&home, &told)) {
                            failed.push(fail(context, &home, error));
                            continue;
                        }
                        if once(rules, &mut places, &session.store.home(), number)? {
                            parts.push(Part { session, rules: number, copies: Copies::None, cache_rule: None });
                        }
                    }
                }
                Err(error) => failed.push(fail(context, store, error)),
            }
        }
    }
    interrupted(context)?;
    Ok((parts, failed))
}

/// Whether a store is new: checked when it is opened, and again when the listing has named its owner. A store with
/// several host names is one store. A store under two policies is an error.
pub fn once(rules: &[Rules], places: &mut HashMap<StoreRef, usize>, store: &StoreRef, number: usize) -> Result<bool> {
    let place = store.clone().by_any_host();
    let Some(other) = places.insert(place, number) else {
        return Ok(true);
    };
    if other == number {
        return Ok(false);
    }
    Err(under_two(&store.to_string(), &rules[other], &rules[number]))
}

/// Reports a store that could not be read. All its images are kept; it counts for the exit code.
pub fn fail(context: &Context, store: &StoreRef, error: Error) -> Item {
    if !error.kind.not_tried() {
        context.printer.error(&error);
    }
    Item { error: Some(error), ..Item::new(store.clone()) }
}

/// An interrupted run makes no plan, because it has not seen everything.
pub fn interrupted(context: &Context) -> Result<()> {
    match context.stop.error() {
        Some(_) => Err(Error::new(Kind::Stopped, "stopped before the plan was made; nothing was deleted")),
        None => Ok(()),
    }
}
