//! Makes the plan: opens and lists the stores side by side, gathers evidence where something would be deleted, and
//! decides. Nothing here deletes.

use std::{borrow::Cow, collections::HashMap, ops::Range, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::{
    StreamExt,
    future::{join, join_all},
    stream,
};

use crate::{
    clock,
    context::Context,
    context::lookup,
    engine::{Copies, Session},
    error::{Error, Kind, Result},
    exit::{Exit, Tally},
    image::StoreRef,
    prune::rules::{Rules, under_two},
    prune::saved::Failed,
    prune::{Action, Clauses, Elsewhere, Evidence, Freed, Plan, Row, Stock, Stop, StorePlan, decide},
    report::Item,
    store::{CacheRule, Image},
    survey::{
        self, Cache, Files, InUse,
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

/// One store of the run, and the number of its rules.
struct Part {
    session: Arc<Session>,
    rules: usize,
    /// What applies to its registry, known if something may be deleted.
    copies: Copies,
    cache_rule: Option<CacheRule>,
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
        let cache = Cache::new(context.settings.env.cache());
        let taking = parts.iter().map(|part| {
            let of = &rules[part.rules];
            let provider = part.session.store.home().provider;
            let may_go = move |image: &Image| of.clauses.may_choose(image, provider);
            survey::stock(&part.session, &cache, wanted.archive, may_go, |images| printer.progress.seen(images))
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
        if let Some(ahead) = parts.iter().filter_map(|part| part.session.store.clock_ahead()).max() {
            let off = clock::offset(ahead);
            printer.warn(&format!("this machine's clock is {off}; ages are counted by the clock of the service"));
            rules.iter_mut().for_each(|rules| rules.clauses = rules.clauses.by_clock(ahead));
        }

        let mut evidence = Evidence::default();
        let mut lists = files.read(&stocks, &mut evidence)?;
        printer.progress.doing("asking what is in use", None);
        let asked = candidates(&rules, &parts, &stocks, &evidence);
        let mut checked = Vec::with_capacity(parts.len());
        for ((part, stock), asked) in parts.iter().zip(&stocks).zip(&asked) {
            let told = match asked.is_empty() {
                true => Ok(()),
                false => {
                    survey::in_use(context, &cache, &part.session, stock, asked, &wanted.in_use, &mut evidence).await
                }
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
        lists.extend(survey::ask(context, &cache, sessions, &ask, allow_empty, &known, &mut evidence).await?);
        interrupted(context)?;
        keep(&mut parts, &checked);
        keep(&mut stocks, &checked);
        let mut plan =
            read_and_decide(context, &cache, &rules, &mut parts, &mut stocks, &evidence, &mut failed).await?;
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
        made.freed = made.weigh(context, &cache, wanted.exactly).await;
        interrupted(context)?;
        Ok(made)
    }

    /// Counts the bytes that are freed in each store.
    async fn weigh(&self, context: &Context, cache: &Cache, exactly: bool) -> Vec<Freed> {
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
                true => survey::freed(&part.session, cache, stock, plan).await,
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

/// Opens all stores.
async fn open(context: &Context, rules: &[Rules]) -> Result<(Vec<Part>, Vec<Item>)> {
    let (mut parts, mut failed) = (Vec::new(), Vec::new());
    let mut places = HashMap::new();
    for (number, of) in rules.iter().enumerate() {
        for store in &of.stores {
            match lookup::stores(context, store).await {
                Ok(sessions) => {
                    for session in sessions {
                        let home = session.store.home();
                        if let Err(error) = of.clauses.answered(&home, |fact| session.store.tells(fact)) {
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
fn once(rules: &[Rules], places: &mut HashMap<StoreRef, usize>, store: &StoreRef, number: usize) -> Result<bool> {
    let place = store.clone().by_any_host();
    let Some(other) = places.insert(place, number) else {
        return Ok(true);
    };
    if other == number {
        return Ok(false);
    }
    Err(under_two(&store.to_string(), &rules[other], &rules[number]))
}

/// The images of each store that may be deleted. More evidence only keeps more, so nothing is asked about a store from
/// which nothing would be deleted now.
fn candidates(rules: &[Rules], parts: &[Part], stocks: &[Stock], evidence: &Evidence) -> Vec<Vec<Arc<Image>>> {
    let now = decided(rules, parts, stocks, evidence, true, |clauses| Cow::Borrowed(clauses));
    // An image that --keep keeps now may turn out to be in use; then --keep keeps another.
    let ever = decided(rules, parts, stocks, evidence, true, |clauses| Cow::Owned(clauses.without_keep()));
    let of_store = |(stock, (now, ever)): (&Stock, (&StorePlan, &StorePlan))| {
        let goes = |row: &&Row| now.totals.deleted > 0 && row.action() == Action::Delete;
        let goes = ever.rows.iter().filter(goes);
        goes.map(|row| Arc::clone(&stock.images()[row.image])).collect()
    };
    stocks.iter().zip(now.stores.iter().zip(&ever.stores)).map(of_store).collect()
}

/// Decides, and decides again whenever the manifests of candidates tell more: some listings leave out what an image is
/// attached to.
async fn read_and_decide(
    context: &Context,
    cache: &Cache,
    rules: &[Rules],
    parts: &mut Vec<Part>,
    stocks: &mut Vec<Stock>,
    evidence: &Evidence,
    failed: &mut Vec<Item>,
) -> Result<Plan> {
    loop {
        let plan = decided(rules, parts, stocks, evidence, failed.is_empty(), |clauses| Cow::Borrowed(clauses));
        let mut all_known = true;
        let mut readable = Vec::with_capacity(parts.len());
        for ((part, stock), plan) in parts.iter().zip(stocks.iter_mut()).zip(&plan.stores) {
            let deleted = plan.rows.iter().filter(|row| row.action() == Action::Delete).map(|row| row.image);
            let read = survey::read_candidates(&part.session, cache, stock, deleted).await;
            all_known &= matches!(read, Ok(false));
            readable.push(read.is_ok());
            if let Err(error) = read {
                failed.push(fail(context, &stock.store, error));
            }
        }
        interrupted(context)?;
        if all_known {
            return Ok(plan);
        }
        keep(parts, &readable);
        keep(stocks, &readable);
    }
}

/// Decides for all stores, each by its rules. `whole`: no store of the run is missing.
fn decided(
    rules: &[Rules],
    parts: &[Part],
    stocks: &[Stock],
    evidence: &Evidence,
    whole: bool,
    by: impl Fn(&Clauses) -> Cow<'_, Clauses>,
) -> Plan {
    Elsewhere::of(stocks).whole(whole).settle(|elsewhere| {
        let mut whole = Plan { stores: Vec::new(), stops: Vec::new() };
        for (number, range) in ranges(parts) {
            let of = &rules[number];
            let Plan { stores, stops } = decide(&stocks[range], elsewhere, &by(&of.clauses), evidence, &of.guards);
            whole.stores.extend(stores);
            whole.stops.extend(stops.into_iter().map(|stop| Stop {
                message: match &of.name {
                    Some(name) => format!("policy {name}: {}", stop.message),
                    None => stop.message.clone(),
                },
                ..stop
            }));
        }
        whole
    })
}

/// The rules that have stores, with the range of those.
fn ranges(parts: &[Part]) -> Vec<(usize, Range<usize>)> {
    let mut begin = 0;
    let of_rules = parts.chunk_by(|one, next| one.rules == next.rules);
    of_rules
        .map(|parts| {
            let range = begin..begin + parts.len();
            begin = range.end;
            (parts[0].rules, range)
        })
        .collect()
}

fn keep<T>(things: &mut Vec<T>, which: &[bool]) {
    let mut which = which.iter();
    things.retain(|_| which.next() == Some(&true));
}

/// Reports a store that could not be read. All its images are kept; it counts for the exit code.
fn fail(context: &Context, store: &StoreRef, error: Error) -> Item {
    if !error.kind.not_tried() {
        context.printer.error(&error);
    }
    Item { error: Some(error), ..Item::new(store.clone()) }
}

/// An interrupted run makes no plan, because it has not seen everything.
fn interrupted(context: &Context) -> Result<()> {
    match context.stop.error() {
        Some(_) => Err(Error::new(Kind::Stopped, "stopped before the plan was made; nothing was deleted")),
        None => Ok(()),
    }
}
