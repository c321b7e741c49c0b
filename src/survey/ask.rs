//! Asks services who uses the images of some stores. Without a complete answer of each, nothing may be deleted.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

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
        let found = context.asking().users(&**source).await;
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
    let counted =
        |(count, [one, many]): &(usize, [&str; 2])| format!("{count} {}", if *count == 1 { one } else { many });
    let seen: Vec<_> = found.seen.iter().map(counted).collect();
    let account = found.account.as_ref().map(|account| format!(" (account {account})")).unwrap_or_default();
    let used_here = counted(&(used.images, ["image", "images"]));
    let mut lines = vec![format!("{name}{account}: {}; {used_here} of these stores in use", seen.join(", "))];
    if let Some((image, who)) = used.missing.first() {
        let more = match used.missing.len() - 1 {
            0 => String::new(),
            more => format!("; {more} more such names"),
        };
        lines.push(format!("{name}: {image} does not exist, though it is named by {who}{more}"));
    }
    lines.extend(found.doubts.iter().map(|doubt| format!("{name}: {doubt}")));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image::StoreRef, store::Image};

    #[test]
    fn what_was_asked_is_told_with_its_account_and_what_leads_nowhere() {
        let store: StoreRef = "ecr://123456789012@eu-west-1/app".parse().unwrap();
        let stock = Stock::new(store, [Image::default()]);
        let found = |account: &str| Found {
            seen: vec![(1, ["cluster", "clusters"]), (2, ["service", "services"])],
            account: Some(account.into()),
            ..Found::default()
        };
        let mut used = Used { images: 1, missing: Vec::new() };
        let lines = said("ECS in eu-west-1", &found("123456789012"), &used, &[&stock]);
        let counts = "1 cluster, 2 services; 1 image of these stores in use";
        assert_eq!(lines, [format!("ECS in eu-west-1 (account 123456789012): {counts}")]);
        used.missing = [("h/app:v2", "web"), ("h/app:v3", "web")].map(|(image, who)| (image.into(), who.into())).into();
        let lines = said("ECS in eu-west-1", &found("999999999999"), &used, &[&stock]);
        let others = "h/app:v2 does not exist, though it is named by web; 1 more such names";
        assert_eq!(lines[1], format!("ECS in eu-west-1: {others}"));
        let elsewhere = "only account 999999999999 was asked, and the images belong to 123456789012";
        assert_eq!(lines[2], format!("ECS in eu-west-1: {elsewhere}"));
    }

    #[test]
    fn a_service_that_lacks_a_feature_is_no_mistake_in_the_command_line() {
        let error = unanswered("ECS in eu-west-1", Error::new(Kind::Unsupported, "no such thing"));
        assert_eq!(error.kind, Kind::Failed);
        assert!(error.message.starts_with("cannot find out who uses images from ECS in eu-west-1: "), "{error}");
    }
}
