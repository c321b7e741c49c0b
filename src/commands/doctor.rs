//! `imgctl doctor`: who calls, where, with which credentials from where, and whether that works.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    checkup::{Checkup, State, Subject},
    context::Context,
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    image::{Provider, StoreRef},
    report::{self, Item},
    store::examine::examine,
    words,
};

/// A doctor who waits for a minute is no help.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The end of the help.
const EXAMPLES: [Example; 3] = [
    ("All three providers, side by side.", "imgctl doctor"),
    ("One repository, with the permissions that work on it takes.", "imgctl doctor ecr:team/app"),
    ("Who fails, and why?", "imgctl doctor -o json | jq -c '.items[] | select(.error)'"),
];

/// Find out who calls, with which credentials from where, and whether that works
///
/// Each provider gets one or two calls that change nothing. Without arguments all are tried, and one that nobody set
/// up is no trouble. A store has the permissions checked that work on it takes.
///
/// An answer is waited for 10 seconds at most.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Providers (`ecr`, `cvm`, `workspace`) or stores (`ecr:team/app`, `workspace://cn-north-4/`)
    #[arg(value_name = "PROVIDER|STORE")]
    what: Vec<String>,
    /// ECR: ask to delete a digest that cannot be there from the repository named, to see if that is permitted
    #[arg(long)]
    pub check_delete: bool,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let all = args.what.is_empty();
    let mut stores: Vec<StoreRef> = match all {
        true => Provider::ALL.map(Provider::whole).into(),
        false => args.what.iter().map(|text| meant(text)).collect::<Result<_>>()?,
    };
    let mut seen = std::collections::HashSet::new();
    stores.retain(|store| seen.insert(store.clone()));
    context.one_profile(stores.iter().map(|store| store.provider))?;
    let checkups = join_all(stores.iter().map(|store| check(context, store))).await;
    let any = checkups.iter().any(|checkup| !checkup.any(State::Missing));
    let items = stores.into_iter().zip(checkups);
    let items: Vec<_> = items.map(|(store, checkup)| item(store, checkup, all && any)).collect();
    for item in &items {
        context.printer.checkup(item);
    }
    context.finish();
    // What nobody set up and nobody asked for by name says nothing of how the run went.
    let unconfigured = Some(report::State::Checked(State::Missing));
    let counts = |item: &&Item| item.error.is_some() || item.state != unconfigured;
    Ok(Exit::of_items(items.iter().filter(counts), false))
}

/// What a word on the command line names: a provider with all that is in it, or a store.
fn meant(text: &str) -> Result<StoreRef> {
    if let Some(provider) = Provider::of_scheme(text) {
        return Ok(provider.whole());
    }
    if text.contains([':', '/', '.']) {
        return Ok(text.parse()?);
    }
    let known = Provider::ALL.map(Provider::scheme);
    let hint = match words::nearest(text, known) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("there are {}; a store looks like ecr:team/app", known.join(", ")),
    };
    Err(Error::new(Kind::Usage, format!("there is no provider \"{text}\"")).hint(hint))
}

async fn check(context: &Context, store: &StoreRef) -> Checkup {
    let mut checkup = Checkup::default();
    let stopped = tokio::select! {
        biased;
        () = context.stop.asked() => context.stop.error(),
        () = examine(&context.settings, store, &mut checkup) => None,
    };
    if let Some(error) = stopped {
        let _ = checkup.of::<()>(Subject::Read, Err(error));
    }
    context.count(checkup.calls);
    checkup
}

/// One provider's checks as an item of the output. Where `lenient`, one that nobody set up has not failed.
fn item(store: StoreRef, checkup: Checkup, lenient: bool) -> Item {
    let value = |subject| checkup.value(subject).map(str::to_owned);
    let one = !store.name.is_empty() && !store.is_pattern();
    let name = one.then(|| store.name.clone());
    let home = StoreRef {
        region: value(Subject::Region).or(store.region.clone()),
        owner: value(Subject::Account).or(value(Subject::Project)).or(store.owner.clone()),
        ..store
    };
    let unconfigured = checkup.any(State::Missing);
    let worst = [State::Missing, State::Failed, State::Warning].into_iter().find(|state| checkup.any(*state));
    let mut item = Item::new(home);
    item.state = Some(report::State::Checked(worst.unwrap_or(State::Ok)));
    item.image.name = name;
    item.error = checkup.error().filter(|_| !(unconfigured && lenient)).cloned();
    item.checks = checkup.checks;
    item.checks.sort_by_key(|check| check.check);
    item
}
