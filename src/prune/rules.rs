//! The rules of a run, from its flags or from a file of policies.

use std::path::Path;

use crate::{
    error::{Error, Kind, Result},
    image::StoreRef,
    prune::policy::{self, Policy},
    prune::{GuardArgs, Guards, Selection, Selectors},
    words,
};

/// One set of rules, and the stores that they apply to.
pub struct Rules {
    /// The policy's name, if the rules come from a file.
    pub name: Option<String>,
    pub stores: Vec<StoreRef>,
    pub selection: Selection,
    pub guards: Guards,
    /// The guards as written.
    pub guarding: GuardArgs,
}

impl Rules {
    fn of(name: Option<String>, policy: &Policy) -> Result<Self> {
        policy.select.demand()?;
        let stores = policy.stores.iter().map(|text| Ok(text.parse()?));
        Ok(Self {
            name,
            stores: stores.collect::<Result<_>>()?,
            selection: policy.select.compile(chrono::Utc::now())?,
            guards: policy.guard.compile()?,
            guarding: policy.guard.clone(),
        })
    }
}

/// The rules of a command line.
pub fn of_flags(stores: &[String], selectors: &Selectors, guards: &GuardArgs) -> Result<Rules> {
    let policy = Policy { stores: stores.to_vec(), select: selectors.clone(), guard: guards.clone() };
    Rules::of(None, &policy)
}

/// The policies of a file: all of them, or those named.
pub fn of_file(file: &Path, names: &[String]) -> Result<Vec<Rules>> {
    let policies = policy::read(file)?;
    let known = |name: &String| {
        if policies.contains_key(name) {
            return Ok(());
        }
        let message = format!("{} has no policy \"{name}\"", file.display());
        let meant = words::nearest(name, policies.keys().map(String::as_str));
        let all: Vec<_> = policies.keys().map(String::as_str).collect();
        Err(Error::new(Kind::Usage, message).hint(match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("known policies: {}", all.join(", ")),
        }))
    };
    names.iter().try_for_each(known)?;
    policies
        .iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .map(|(name, policy)| {
            Rules::of(Some(name.clone()), policy)
                .map_err(|error| Error { message: format!("policy {name}: {}", error.message), ..error })
        })
        .collect()
}
