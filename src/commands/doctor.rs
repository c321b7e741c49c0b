//! `imgctl doctor`: checks credentials, region, endpoint and permissions.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use crate::{
    checkup::{Checkup, State, Subject},
    context::Context,
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    image::{Provider, StoreRef},
    report::{self, Item},
    store::{Ask, Service, examine::examine},
    words,
};

/// The usual minute is too long for a check at a terminal.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("Check all providers.", "imgctl doctor"),
    ("Check one repository, and what `prune --ask` asks.", "imgctl doctor ecr:team/app --ask ecs,lambda"),
    ("Check an OCI registry, and whether it deletes.", "imgctl doctor ghcr.io/team/app --check-delete"),
    ("Show which providers fail, and why.", "imgctl doctor -o json | jq -c '.items[] | select(.error)'"),
];

/// Check credentials, region, endpoint and permissions
///
/// imgctl sends each provider one or two calls that change nothing. Without arguments it checks all providers; providers
/// that you have not configured are skipped. For a store, it checks the permissions that you need there.
///
/// imgctl waits at most 10 seconds for an answer.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Providers (`ecr`, `cvm`, `workspace`, `oci`; also `aws`, `tencent`, `huawei`) or stores (`ecr:team/app`, `oci:ghcr.io/owner/app`)
    #[arg(value_name = "PROVIDER|STORE")]
    what: Vec<String>,
    /// ECR and OCI registries: try to delete a digest that does not exist from the named repository, to check the permission
    #[arg(long)]
    pub check_delete: bool,
    /// ECR: also check that these services can be asked what is in use: ecs, lambda, inspector
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', hide_possible_values = true)]
    ask: Vec<Service>,
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
    let ask = Ask::default().of(&args.ask);
    let checkups = join_all(stores.iter().map(|store| check(context, store, &ask))).await;
    let any = checkups.iter().any(|checkup| !checkup.any(State::Missing));
    let items = stores.into_iter().zip(checkups);
    let items: Vec<_> = items.map(|(store, checkup)| item(store, checkup, all && any)).collect();
    for item in &items {
        context.printer.checkup(item);
    }
    context.finish();
    // A provider that is not configured and was not named does not affect the exit code.
    let unconfigured = Some(report::State::Checked(State::Missing));
    let counts = |item: &&Item| item.error.is_some() || item.state != unconfigured;
    Ok(Exit::of_items(items.iter().filter(counts), false))
}

/// The store that an argument names; a provider means everything in it.
fn meant(text: &str) -> Result<StoreRef> {
    if let Some(provider) = Provider::of_word(text) {
        return Ok(provider.whole());
    }
    if text.contains([':', '/', '.']) {
        return Ok(text.parse()?);
    }
    let known = Provider::ALL.map(Provider::scheme);
    let hint = match words::nearest(text, known) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("providers are {}; a store looks like ecr:team/app", known.join(", ")),
    };
    Err(Error::new(Kind::Usage, format!("not a provider or a store: \"{text}\"")).hint(hint))
}

async fn check(context: &Context, store: &StoreRef, ask: &Ask) -> Checkup {
    let mut checkup = Checkup::default();
    let stopped = tokio::select! {
        biased;
        () = context.stop.asked() => context.stop.error(),
        () = examine(&context.settings, store, ask, &mut checkup) => None,
    };
    if let Some(error) = stopped {
        let _ = checkup.of::<()>(Subject::Read, Err(error));
    }
    context.count(checkup.calls);
    checkup
}

/// One provider's checks as an item of the output. If `lenient`, a provider that is not configured has not failed.
fn item(store: StoreRef, mut checkup: Checkup, lenient: bool) -> Item {
    let value = |subject| checkup.value(subject).map(str::to_owned);
    let one = !store.name.is_empty() && !store.is_pattern();
    let name = one.then(|| store.name.clone());
    let home = StoreRef {
        region: value(Subject::Region).or(store.region.clone()),
        owner: value(Subject::Account).or(value(Subject::Project)).or(store.owner.clone()),
        ..store
    };
    for check in &mut checkup.checks {
        check.error = check.error.take().map(|error| home.blaming_region(error));
    }
    let unconfigured = checkup.any(State::Missing);
    let worst = [State::Missing, State::Failed, State::Warning].into_iter().find(|state| checkup.any(*state));
    let mut item = Item::new(home);
    item.state = Some(report::State::Checked(worst.unwrap_or(State::Ok)));
    Arc::make_mut(&mut item.image).name = name;
    item.error = checkup.error().filter(|_| !(unconfigured && lenient)).cloned();
    item.checks = checkup.checks;
    item.checks.sort_by_key(|check| check.check);
    item
}
