//! `imgctl policy`: checks a policy file without any call, and writes one, from existing images or from the rules that a
//! registry has.

mod import;
mod init;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Subcommand;

use crate::{
    context::Context,
    error::Result,
    exit::Exit,
    help::{Example, examples},
    image::StoreRef,
    output::{self, Format, Printer},
    prune::rules::{Overlap, Rules, of_file, shared},
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("Write a first policy from existing images.", "imgctl policy init 'ecr:team/*' cvm: > clean.toml"),
    ("Check a policy file.", "imgctl policy init cvm: > c.toml && imgctl policy check c.toml"),
    (
        "Take over a repository's lifecycle policy.",
        "imgctl policy import ecr:tools/ci > ci.toml && imgctl policy check ci.toml",
    ),
    ("Show what a policy would do.", "imgctl policy init cvm: > c.toml && imgctl prune --policy c.toml -n"),
];

/// Check a policy file, or write a first one
///
/// A policy names stores and the rules for stale images. Run it with `imgctl prune --policy FILE`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Check a policy file; sends no calls
    Check {
        /// The policy file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a first policy for these stores; changes nothing
    Init {
        /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`
        #[arg(value_name = "STORE", required = true)]
        stores: Vec<String>,
    },
    /// Print a lifecycle policy of ECR as rules of a policy; changes nothing
    ///
    /// The rules mean the same, or keep more; comments and warnings say where.
    Import {
        /// A repository (`ecr:team/app`, `ecr:team/*`), or a JSON file with the lifecycle policy; `-` reads standard input
        #[arg(value_name = "SOURCE")]
        source: String,
        /// Stores that the policy is for [default: the repository]
        #[arg(value_name = "STORE")]
        stores: Vec<String>,
    },
}

impl Verb {
    /// A check needs neither settings nor a network.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        match self {
            Self::Check { file } => check(&file),
            Self::Init { stores } => init::run(&stores, context).await,
            Self::Import { source, stores } => import::run(&source, &stores, context).await,
        }
    }
}

/// Prints the stores and rules of each policy.
fn check(file: &Path) -> Result<Exit> {
    let all = of_file(file, &[])?;
    for rules in &all {
        let stores: Vec<_> = rules.stores.iter().map(ToString::to_string).collect();
        let mut lines = vec![format!("{}: {}", rules.name.as_deref().unwrap_or_default(), stores.join(", "))];
        for (_, clause) in rules.clauses.all() {
            let does = if clause.selection().is_some() { "deletes" } else { "keeps" };
            lines.extend(clause.name.iter().map(|name| format!("  {name} {does}")));
        }
        lines.iter().for_each(|line| output::plain(&format!("{}\n", output::safe(line))));
    }
    for (store, one, other) in shared(&all, Overlap::Maybe) {
        let name = |rules: &Rules| rules.name.clone().unwrap_or_default();
        let message = format!("{store} may be under policies {} and {}; prune refuses that", name(one), name(other));
        Printer::for_errors(Format::Table).warn(&message);
    }
    Ok(Exit::Done)
}

/// A unique name that TOML accepts without quotes.
fn name(store: &StoreRef, used: &mut BTreeMap<String, usize>) -> String {
    let whole = format!("{}-{}", store.provider.scheme(), store.name);
    let plain: String = whole.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let parts: Vec<_> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    let times = used.entry(name.clone()).or_default();
    *times += 1;
    match times {
        1 => name,
        times => format!("{name}-{times}"),
    }
}
