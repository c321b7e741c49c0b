//! `imgctl policy import`: writes the rules that a registry has as rules of a policy, and says what has no counterpart.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    path::Path,
};

use super::name;
use crate::{
    context::Context,
    context::lookup,
    error::{Error, Kind, Result},
    exit::Exit,
    image::StoreRef,
    output,
    prune::import::import,
    store::{Op, OwnRule, own_rules},
};

const HEAD: &str = "\
# Rules of a registry, as a policy for imgctl. imgctl deletes with an index what only that index needs, and with an image
# its signatures. Show what the policy would do:  imgctl prune --policy FILE --dry-run
";

/// The rules of one store, or of a file.
struct Found {
    name: String,
    /// As references of stores.
    stores: Vec<String>,
    rules: Vec<OwnRule>,
}

pub async fn run(source: &str, stores: &[String], context: &Context) -> Result<Exit> {
    let named: Vec<StoreRef> = stores.iter().map(|text| Ok(text.parse()?)).collect::<Result<_>>()?;
    let is_file = source == "-" || Path::new(source).exists();
    let mut found = match source.parse::<StoreRef>() {
        _ if is_file => vec![of_file(source, context).await?],
        Ok(store) => of_store(source, &store, context).await?,
        Err(wrong) if source.contains(':') => return Err(wrong.into()),
        Err(_) => vec![of_file(source, context).await?],
    };
    if let ([first], [only]) = (&*named, &mut *found) {
        only.name = name(first, &mut BTreeMap::new());
    }
    if !stores.is_empty() {
        if found.len() > 1 {
            let message = format!("{source} has {} policies, which cannot all be for the same stores", found.len());
            return Err(Error::new(Kind::Usage, message).hint("import one repository, or name no other stores"));
        }
        found.iter_mut().for_each(|found| found.stores = stores.to_vec());
    }
    let mut text = String::from(HEAD);
    for found in &found {
        text.push_str(&found.policy(context));
    }
    output::plain(&text);
    Ok(Exit::Done)
}

/// The rules of a repository, or of those that a pattern matches and that have any.
async fn of_store(source: &str, store: &StoreRef, context: &Context) -> Result<Vec<Found>> {
    context.printer.progress.doing("reading rules", None);
    let mut names = BTreeMap::new();
    let mut found = Vec::new();
    for session in lookup::stores(context, store).await? {
        let home = session.store.home();
        if let Some(rules) = session.ask(Op::Rules, || session.store.own_rules()).await? {
            let written = if store.is_pattern() { home.to_string() } else { source.to_owned() };
            found.push(Found { name: name(&home, &mut names), stores: vec![written], rules });
        }
    }
    context.printer.progress.end();
    if found.is_empty() {
        let message = format!("{source} has no lifecycle policy");
        return Err(Error::new(Kind::NotFound, message).hint("`imgctl policy init` writes a first policy"));
    }
    Ok(found)
}

async fn of_file(source: &str, context: &Context) -> Result<Found> {
    let path = source.to_owned();
    let read = move || {
        let called = if path == "-" { "standard input" } else { &path };
        let text = match called {
            "standard input" => io::read_to_string(io::stdin().take(MOST)),
            path => std::fs::File::open(path).and_then(|file| io::read_to_string(file.take(MOST))),
        };
        let text = text.map_err(|error| Error::of_file(called, &error))?;
        own_rules(called, &text)
    };
    let (store, rules) = context.blocking(read).await?;
    let stores = store.iter().map(ToString::to_string).collect();
    let name = store.map_or("imported".into(), |store| name(&store, &mut BTreeMap::new()));
    Ok(Found { name, stores, rules })
}

/// A lifecycle policy has at most 30,720 characters.
const MOST: u64 = 1 << 20;

impl Found {
    fn policy(&self, context: &Context) -> String {
        let name = &self.name;
        let stores: Vec<_> = self.stores.iter().map(|store| format!("{store:?}")).collect();
        let mut text = format!("\n[policy.{name}]\nstores = [{}]\n", stores.join(", "));
        text.push_str(
            "# The registry protects no names. Without this line, imgctl keeps latest, stable, prod* and release*.\n\
             guard = { no-default-protect = true }\n",
        );
        for imported in import(&self.rules) {
            text.push('\n');
            text.push_str(&imported.toml(name));
            for gap in &imported.gaps {
                let rule = imported.rule.name.as_deref().unwrap_or_default();
                context.printer.warn(&format!("{name}, {rule}: {gap}"));
            }
        }
        if self.stores.is_empty() {
            context.printer.warn(
                "the file does not say which repository it is for: add stores, as in `imgctl policy import FILE STORE`",
            );
        }
        text
    }
}
