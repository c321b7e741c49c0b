//! Decides for all stores of a plan, and again whenever more is known.

use std::{borrow::Cow, ops::Range, sync::Arc};

use super::parts::{Part, fail, interrupted};
use crate::{
    cache::Cache,
    context::Context,
    engine::Session,
    error::Result,
    prune::rules::Rules,
    prune::{Action, Clauses, Elsewhere, Evidence, Plan, Row, Stock, Stop, StorePlan, decide},
    report::Item,
    store::{Image, Op},
    survey,
};

/// The images of each store that may be deleted. More evidence only keeps more, so nothing is asked about a store from
/// which nothing would be deleted now.
pub fn candidates(rules: &[Rules], parts: &[Part], stocks: &[Stock], evidence: &Evidence) -> Vec<Vec<Arc<Image>>> {
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

/// Finds what the listings leave out about images that may be deleted, before lists of what is in use are read: a list
/// counts for images that are known. More evidence only keeps more.
pub async fn find_unlisted(context: &Context, rules: &[Rules], parts: &[Part], stocks: &mut [Stock]) -> Result<()> {
    if parts.iter().all(|part| part.session.store.limit(Op::Referrers).is_none()) {
        return Ok(());
    }
    loop {
        let plan = decided(rules, parts, stocks, &Evidence::default(), true, |clauses| Cow::Borrowed(clauses));
        let mut any = false;
        for ((part, stock), plan) in parts.iter().zip(stocks.iter_mut()).zip(&plan.stores) {
            any |= survey::find_unlisted(&part.session, &context.cache, stock, &deleted(plan)).await?;
        }
        if !any {
            return Ok(());
        }
    }
}

/// The places of the images that a plan deletes.
fn deleted(plan: &StorePlan) -> Vec<usize> {
    plan.rows.iter().filter(|row| row.action() == Action::Delete).map(|row| row.image).collect()
}

/// Decides, and decides again whenever the manifests of candidates tell more: some listings leave out what an image is
/// attached to.
pub async fn read_and_decide(
    context: &Context,
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
            let read = complete(&part.session, &context.cache, stock, &deleted(plan)).await;
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

/// Finds out what the listing leaves out about images that may go; tells whether there was anything.
async fn complete(session: &Session, cache: &Cache, stock: &mut Stock, deleted: &[usize]) -> Result<bool> {
    let read = survey::read_candidates(session, cache, stock, deleted.iter().copied()).await?;
    Ok(survey::find_unlisted(session, cache, stock, deleted).await? || read)
}

/// Decides for all stores, each by its rules. `whole`: no store of the run is missing.
pub fn decided(
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
pub fn ranges(parts: &[Part]) -> Vec<(usize, Range<usize>)> {
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

pub fn keep<T>(things: &mut Vec<T>, which: &[bool]) {
    let mut which = which.iter();
    things.retain(|_| which.next() == Some(&true));
}
