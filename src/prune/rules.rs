//! The rules of a run, from its flags or from a file of policies.

use std::path::Path;

use chrono::{DateTime, Utc};

pub use super::overlap::{Overlap, overlap};
use super::{Clause, Clauses, Verdict};
use crate::{
    error::{Error, Kind, Result},
    image::StoreRef,
    prune::policy::{self, Policy},
    prune::{GuardArgs, Guards, Selectors},
    store::Service,
    words,
};

/// One set of rules, and the stores that they apply to.
pub struct Rules {
    /// The policy's name, if the rules come from a file.
    pub name: Option<String>,
    pub stores: Vec<StoreRef>,
    pub clauses: Clauses,
    pub guards: Guards,
    /// The guards as written.
    pub guarding: GuardArgs,
    /// Services to ask what is in use.
    pub ask: Vec<Service>,
    /// Archive what the rules choose.
    pub archive: bool,
}

impl Rules {
    fn of(name: Option<String>, policy: &Policy) -> Result<Self> {
        let stores = policy.stores.iter().map(|text| Ok(text.parse()?));
        Ok(Self {
            name,
            stores: stores.collect::<Result<_>>()?,
            clauses: clauses(policy, Utc::now())?,
            guards: policy.guard.compile()?,
            guarding: policy.guard.clone(),
            ask: policy.ask.clone(),
            archive: policy.archive,
        })
    }
}

/// The rules of a policy, ready to decide.
pub fn clauses(policy: &Policy, now: DateTime<Utc>) -> Result<Clauses> {
    if let Some(select) = &policy.select {
        select.demand()?;
        return Ok(select.compile(now)?.into());
    }
    let clause = |(number, rule): (usize, &policy::Rule)| {
        let name = rule.called(number);
        let of_rule = |error: Error| Error { message: format!("{name}: {}", error.message), ..error };
        let is_about_all = rule.matching == policy::Matching::default();
        let about = (!is_about_all).then(|| rule.matching.selectors().compile(now)).transpose().map_err(of_rule)?;
        let verdict = match &rule.delete {
            None => Verdict::Keep,
            Some(conditions) => {
                let selectors = conditions.and(&rule.matching);
                selectors
                    .demand()
                    .and_then(|()| selectors.compile(now))
                    .map_err(of_rule)
                    .map(Box::new)
                    .map(Verdict::Delete)?
            }
        };
        Ok(Clause { name: Some(name), about, verdict })
    };
    policy.rule.iter().enumerate().map(clause).collect()
}

/// The rules of a command line.
pub fn of_flags(stores: &[String], selectors: &Selectors, guards: &GuardArgs) -> Result<Rules> {
    let policy =
        Policy { stores: stores.to_vec(), select: Some(selectors.clone()), guard: guards.clone(), ..Policy::default() };
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
    let rules: Vec<Rules> = policies
        .iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .map(|(name, policy)| {
            Rules::of(Some(name.clone()), policy)
                .map_err(|error| Error { message: format!("policy {name}: {}", error.message), ..error })
        })
        .collect::<Result<_>>()?;
    let twice = shared(&rules, Overlap::Sure).next();
    twice.map_or(Ok(()), |(store, one, other)| Err(under_two(&store.to_string(), one, other)))?;
    Ok(rules)
}

/// Whether a run archives what it chooses: its flag says so, or all its policies.
pub fn archives(rules: &[Rules], flag: bool) -> Result<bool> {
    let differs = |archive: bool| rules.iter().find(|rules| rules.archive == archive).map(|rules| rules.name.clone());
    match (flag, differs(true), differs(false)) {
        (true, ..) | (_, Some(_), None) => Ok(true),
        (_, None, _) => Ok(false),
        (_, Some(one), Some(other)) => {
            let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
            let message = format!("policy {one} archives images, and policy {other} deletes them");
            let hint = "name the policies to run: one run either archives or deletes; --archive archives for all";
            Err(Error::new(Kind::Usage, message).hint(hint))
        }
    }
}

/// The error about a store that two policies name.
pub fn under_two(store: &str, one: &Rules, other: &Rules) -> Error {
    let name = |rules: &Rules| rules.name.clone().unwrap_or_default();
    let message = format!("{store} is under policies {} and {}", name(one), name(other));
    Error::new(Kind::Usage, message).hint("name it in one policy, with several rules ([[policy.NAME.rule]])")
}

/// Stores that two policies name, or may name, with both.
pub fn shared(rules: &[Rules], how: Overlap) -> impl Iterator<Item = (&StoreRef, &Rules, &Rules)> {
    let pairs =
        rules.iter().enumerate().flat_map(|(number, one)| rules[number + 1..].iter().map(move |other| (one, other)));
    pairs.flat_map(move |(one, other)| {
        let both = one.stores.iter().flat_map(|store| other.stores.iter().map(move |also| (store, also)));
        let meet = both.filter(move |(store, also)| overlap(store, also) == how);
        // The error names the one store, not the pattern that it is in.
        meet.map(move |(store, also)| (if store.is_pattern() { also } else { store }, one, other))
    })
}
