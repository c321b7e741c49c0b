//! Makes the plan: opens and lists the stores side by side, gathers evidence where something would be deleted, and
//! decides. Nothing here deletes.

mod decided;
mod parts;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};

use self::{
    decided::{candidates, find_unlisted, keep, ranges, read_and_decide},
    parts::{Part, fail, interrupted, once, open},
};
use crate::{
    clock,
    context::Context,
    engine::{Copies, Session},
    error::{Error, Kind, Result},
    exit::{Exit, Tally},
    prune::rules::Rules,
    prune::saved::Failed,
    prune::{Evidence, Freed, Plan, Stock, Stop, StorePlan},
    report::Item,
    store::{CacheRule, Image},
    survey::{
        self, Files, InUse,
        copies::{asked_there, not_allowed},
    },
};

/// Stores that are listed at the same time. Their calls share one pace per account.
const SIDE_BY_SIDE: usize = 16;

/// How the plan is made, besides its rules.
#[derive(Clone)]
pub struct Wanted {
    pub in_use: InUse,
    /// Count the freed bytes from manifests.
    pub exactly: bool,
    /// Archive what is chosen.
    pub archive: bool,
    /// Allow deletions that are repeated in other registries.
    pub replicated: bool,
}

/// A plan with everything that it was made from.
pub struct Made {
    pub at: DateTime<Utc>,
    rules: Vec<Rules>,
    parts: Vec<Part>,
    stocks: Vec<Stock>,
    plan: Plan,
    freed: Vec<Freed>,
    exactly: bool,
    pub archive: bool,
    pub evidence: Evidence,
    /// A line about each in-use list.
    pub lists: Vec<String>,
    /// Stores that could not be read. Nothing in them is deleted.
    failed: Vec<Item>,
}

/// The plan of one store with its context.
pub struct OfStore<'m> {
    pub session: &'m Arc<Session>,
    pub rules: &'m Rules,
    pub stock: &'m Stock,
    pub plan: &'m StorePlan,
    pub freed: Freed,
    /// The freed bytes were counted from manifests.
    pub exactly: bool,
    pub archive: bool,
    pub copies: &'m Copies,
    pub cache_rule: Option<&'m CacheRule>,
}

impl Made {
    pub async fn of(context: &Context, mut rules: Vec<Rules>, mut files: Files, wanted: Wanted) -> Result<Self> {
        let printer = &context.printer;
        printer.progress.doing("listing", None);
        for rules in &mut rules {
            rules.guards = rules.guards.clone().of_archive(wanted.archive);
        }
        let (parts, mut failed) = open(context, &rules).await?;
        if failed.is_empty() {
            survey::askable(&wanted.in_use.ask, parts.iter().map(|part| &*part.session))?;
        }
        let cache = &*context.cache;
        let taking = parts.iter().map(|part| {
            let of = &rules[part.rules];
            let provider = part.session.store.home().provider;
            let may_go = move |image: &Image| of.clauses.may_choose(image, provider);
            survey::stock(&part.session, cache, wanted.archive, may_go, |images| printer.progress.seen(images))
        });
        let taken: Vec<_> = stream::iter(taking).buffered(SIDE_BY_SIDE).collect().await;
        let mut stocks: Vec<Stock> = Vec::new();
        let mut places = HashMap::new();
        let mut known = Vec::new();
        for (part, taken) in parts.into_iter().zip(taken) {
            match taken {
                Ok(stock) => {
                    if once(&rules, &mut places, &stock.store, part.rules)? {
                        stocks.push(stock);
                        known.push(part);
                    }
                }
                Err(error) => failed.push(fail(context, &part.session.store.home(), error)),
            }
        }
        let mut parts = known;
        interrupted(context)?;
        parts.iter().for_each(|part| context.warn_of_less(&part.session));
        if let Some(ahead) = parts.iter().filter_map(|part| part.session.store.clock_ahead()).max() {
            let off = clock::offset(ahead);
            printer.warn(&format!("this machine's clock is {off}; ages are counted by the clock of the service"));
            rules.iter_mut().for_each(|rules| rules.clauses = rules.clauses.by_clock(ahead));
        }

        find_unlisted(context, &rules, &parts, &mut stocks).await?;
        interrupted(context)?;
        let mut evidence = Evidence::default();
        let mut lists = files.read(&stocks, &mut evidence)?;
        printer.progress.doing("asking what is in use", None);
        let asked = candidates(&rules, &parts, &stocks, &evidence);
        let mut checked = Vec::with_capacity(parts.len());
        for ((part, stock), asked) in parts.iter().zip(&stocks).zip(&asked) {
            let told = match asked.is_empty() {
                true => Ok(()),
                false => survey::in_use(context, &part.session, stock, asked, &wanted.in_use, &mut evidence).await,
            };
            if let Err(error) = &told {
                failed.push(fail(context, &stock.store, error.clone()));
            }
            checked.push(told.is_ok());
        }
        interrupted(context)?;
        let about = parts.iter_mut().zip(&asked).filter(|(_, asked)| !asked.is_empty()).map(async |(part, _)| {
            (part.copies, part.cache_rule) = join(part.session.copies(), part.session.cache_rule()).await;
        });
        join_all(about).await;
        let with_candidates = parts.iter().zip(&asked).filter(|(_, asked)| !asked.is_empty());
        let sessions = with_candidates.map(|(part, _)| &*part.session);
        let copies = parts.iter().filter(|_| wanted.replicated).map(|part| (part.session.store.home(), &part.copies));
        let ask = asked_there(&wanted.in_use.ask, copies);
        let (allow_empty, known) = (wanted.in_use.allow_empty, stocks.iter().collect::<Vec<&Stock>>());
        lists.extend(survey::ask(context, sessions, &ask, allow_empty, &known, &mut evidence).await?);
        interrupted(context)?;
        keep(&mut parts, &checked);
        keep(&mut stocks, &checked);
        let mut plan = read_and_decide(context, &rules, &mut parts, &mut stocks, &evidence, &mut failed).await?;
        if !wanted.replicated {
            plan.stops.extend(parts.iter().zip(&plan.stores).filter_map(|(part, of)| match &part.copies {
                Copies::In(replicas) if of.totals.deleted > 0 => Some(not_allowed(&of.store, replicas)),
                _ => None,
            }));
        }
        // Referrers of images in an unread store would look like orphans.
        let orphans = rules.iter().any(|rules| rules.clauses.want_orphans());
        if let (true, Some(store)) = (orphans, failed.first()) {
            let message = format!("--orphans needs all stores of the run, but {} could not be read", store.reference);
            return Err(Error::new(Kind::Guard, message).hint("nothing was sent"));
        }

        let mut made = Self {
            at: Utc::now(),
            freed: Vec::new(),
            exactly: wanted.exactly,
            archive: wanted.archive,
            rules,
            parts,
            stocks,
            plan,
            evidence,
            lists,
            failed,
        };
        made.freed = made.weigh(context, wanted.exactly).await;
        interrupted(context)?;
        Ok(made)
    }

    /// Counts the bytes that are freed in each store.
    async fn weigh(&self, context: &Context, exactly: bool) -> Vec<Freed> {
        let mut freed = Vec::new();
        if exactly {
            context.printer.progress.doing("reading manifests", None);
        }
        for ((part, stock), plan) in self.parts.iter().zip(&self.stocks).zip(&self.plan.stores) {
            // The archive frees nothing.
            if self.archive {
                freed.push(Freed { bytes: 0, unknown: 0 });
                continue;
            }
            let exact = exactly && stock.store.provider.has_containers() && plan.totals.deleted > 0;
            freed.push(match exact {
                true => survey::freed(&part.session, &context.cache, stock, plan).await,
                false => Freed { bytes: plan.totals.bytes, unknown: plan.totals.unsized_images },
            });
        }
        freed
    }

    pub fn stores(&self) -> impl Iterator<Item = OfStore<'_>> {
        let plans = self.plan.stores.iter().zip(&self.freed);
        let of = self.parts.iter().zip(&self.stocks).zip(plans);
        of.map(|((part, stock), (plan, freed))| OfStore {
            session: &part.session,
            rules: &self.rules[part.rules],
            stock,
            plan,
            freed: *freed,
            exactly: self.exactly,
            archive: self.archive,
            copies: &part.copies,
            cache_rule: part.cache_rule.as_ref(),
        })
    }

    pub fn failed(&self) -> impl Iterator<Item = Failed> {
        self.failed
            .iter()
            .filter_map(|item| Some(Failed { store: item.reference.to_string(), error: item.error.clone()? }))
    }

    pub fn stops(&self) -> &[Stop] {
        &self.plan.stops
    }

    pub fn stopped(&self) -> bool {
        !self.plan.stops.is_empty()
    }

    /// Patterns of --exclude and --protect that match no image of their stores.
    pub fn unmatched(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (number, range) in ranges(&self.parts) {
            let (Rules { clauses, guards, .. }, stocks) = (&self.rules[number], &self.stocks[range]);
            found.extend(clauses.unmatched(stocks).map(|pattern| format!("--exclude {pattern} matches no image")));
            found.extend(guards.unmatched(stocks).map(|pattern| format!("--protect {pattern} matches no image")));
        }
        found
    }

    /// Whether a deleted image may be in use by machines.
    pub fn has_machines(&self) -> bool {
        self.parts
            .iter()
            .zip(&self.plan.stores)
            .any(|(part, plan)| part.session.store.users().is_some() && plan.totals.deleted > 0)
    }

    /// How the run ends, given the outcomes of the deletions.
    pub fn exit(&self, mut ended: Tally) -> Exit {
        // Stores that were listed do not help if no deletion could be tried.
        if ended.exit() == Exit::Nothing {
            return Exit::Nothing;
        }
        let looked = self.stocks.iter().map(|stock| Item::new(stock.store.clone()));
        looked.for_each(|item| ended.add(&item));
        self.failed.iter().for_each(|item| ended.add(item));
        ended.exit()
    }
}
