//! Asks services who uses the images of some stores. Without a complete answer of each, nothing may be deleted.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::Cache;
use crate::{
    context::Context,
    engine::Session,
    error::{Error, Kind, Result},
    prune::{Evidence, Stock, Used, record},
    store::{Ask, Found},
};

/// Refuses a wish to ask about stores of which no service knows anything.
pub fn askable<'s>(ask: &Ask, mut sessions: impl Iterator<Item = &'s Session>) -> Result<()> {
    if ask.is_empty() || sessions.any(|session| session.store.has_sources()) {
        return Ok(());
    }
    let message = "--ask names services that use container images in AWS ECR, and no store of this run is there";
    Err(Error::new(Kind::Usage, message).hint("remove --ask, or name an ECR repository"))
}

/// Asks about the stores from which something would be deleted, and records what is in use in all stocks of the run.
/// Returns lines about it for people.
pub async fn ask<'s>(
    context: &Context,
    cache: &Cache,
    sessions: impl IntoIterator<Item = &'s Session>,
    ask: &Ask,
    allow_empty: bool,
    stocks: &[&Stock],
    evidence: &mut Evidence,
) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    let mut names = BTreeSet::new();
    for session in sessions {
        let of_store = session.store.sources(ask).await?;
        sources.extend(of_store.into_iter().filter(|source| names.insert(source.name())));
    }
    let asked = sources.iter().map(|source| async move {
        let found = context.asking(cache).users(&**source).await;
        found.map_err(|error| unanswered(&source.name(), error))
    });
    let found = try_join_all(asked).await?;
    if !sources.is_empty() && !allow_empty && found.iter().all(|found| found.seen.iter().all(|(count, _)| *count == 0))
    {
        let names: Vec<_> = names.into_iter().collect();
        let message = format!("{} know of nothing that uses images", names.join(" and "));
        let hint = "nothing was sent; check the account and the region, or accept this with --allow-empty-in-use";
        return Err(Error::new(Kind::Guard, message).hint(hint));
    }
    let mut lines = Vec::new();
    for (source, found) in sources.iter().zip(&found) {
        let used = record(&found.users, stocks.iter().copied(), evidence);
        lines.extend(said(&source.name(), found, &used, stocks));
    }
    Ok(lines)
}

/// What a source said, for people.
fn said(name: &str, found: &Found, used: &Used, stocks: &[&Stock]) -> Vec<String> {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let counted = |(count, what): &(usize, &str)| match what.split_once(' ') {
        // `version with an image`: the first word counts.
        Some((what, rest)) if rest.starts_with("with ") => format!("{count} {what}{} {rest}", plural(*count)),
        Some((what, rest)) if rest.starts_with("in ") => format!("{count} {what}{} {rest}", plural(*count)),
        _ => format!("{count} {what}{}", plural(*count)),
    };
    let seen: Vec<_> = found.seen.iter().map(counted).collect();
    let account = found.account.as_ref().map(|account| format!(" (account {account})")).unwrap_or_default();
    let images = used.images;
    let mut lines =
        vec![format!("{name}{account}: {}; {images} image{} of these stores in use", seen.join(", "), plural(images))];
    if let Some((image, who)) = used.missing.first() {
        let more = match used.missing.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more names lead to no image"),
        };
        lines.push(format!("{name}: {image} does not exist, though it is named by {who}{more}"));
    }
    let owners: BTreeSet<&str> = stocks.iter().filter_map(|stock| stock.store.owner.as_deref()).collect();
    if let (Some(account), false) = (found.account.as_deref(), owners.is_empty())
        && !owners.contains(account)
    {
        let owners: Vec<_> = owners.into_iter().collect();
        lines.push(format!("{name}: only account {account} was asked, and the images belong to {}", owners.join(", ")));
    }
    lines
}

/// The whole run fails: any part of an answer that is missing may be the one that matters.
fn unanswered(name: &str, error: Error) -> Error {
    if error.kind.not_tried() {
        return error;
    }
    let kind = match error.kind {
        // The run could not be tried; its command line was right.
        Kind::Unsupported | Kind::Usage | Kind::Guard => Kind::Failed,
        kind => kind,
    };
    let message = format!("cannot find out who uses images from {name}: {}", error.message);
    let hint = error.hint.unwrap_or_else(|| "nothing was deleted, because what is in use is not known".into());
    Error { kind, message, hint: Some(hint), ..error }
}
