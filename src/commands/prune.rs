//! `imgctl prune`: looks at whole stores, chooses what is stale, shows the plan with its reasons, deletes exactly that.
//!
//! Data flow: `prune::rules` says what is wanted of which stores; `survey::plan` takes stock of them, gathers what is in
//! use and lets `prune` decide; `survey::show` turns the decision into items; `delete` carries it out.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{consent::Consent, in_use::InUseArgs};
use crate::{
    context::Context,
    delete::{self, Order},
    error::{Error, Kind, Result},
    exit::{Exit, Tally},
    help::{Example, examples},
    prune::{
        Action, GuardArgs, Row, Selectors,
        rules::{self, Rules},
    },
    report::Item,
    settings::DeletionFlags,
    survey::{
        InUse,
        plan::{Made, Wanted},
        show,
    },
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    (
        "What is older than 30 days goes, but the newest 10 of that stay.",
        "imgctl prune 'ecr:team/*' --older-than 30d --keep 10 --dry-run",
    ),
    (
        "Untagged leftovers. What tagged indexes need is none.",
        "imgctl prune ecr:team/app --untagged --older-than 1w --yes",
    ),
    (
        "A plan to look at, and later exactly that.",
        "imgctl prune cvm: --keep 1 -n -o json > plan && imgctl delete -y --from plan",
    ),
    ("Three clouds at once.", "imgctl prune 'ecr:**' cvm: workspace: --older-than 90d --keep 3 --yes"),
];

/// Delete stale images: choose by rules, show why, delete exactly that
///
/// Looks at every image of the stores, chooses those that fit all selectors, and keeps what kept images need, what is
/// protected and what is in use. Shows each image with its reason, and asks; without a terminal, `--yes` is needed.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`; with --policy, names of policies
    #[arg(value_name = "STORE", required_unless_present = "policy")]
    stores: Vec<String>,
    /// Take stores, selectors and guards from this file; all of its policies, unless some are named
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Which images")]
    selectors: Selectors,
    #[command(flatten, next_help_heading = "Guards")]
    guards: GuardArgs,
    #[command(flatten, next_help_heading = "In use")]
    in_use: InUseArgs,
    #[command(flatten, next_help_heading = "Run")]
    pub consent: Consent,
    /// Which images the plan shows [default: all in a dry run, else deleted]
    #[arg(long, value_name = "WHICH", value_enum, help_heading = "Run")]
    show: Option<Show>,
    /// How the bytes that are freed are found: from sizes, or from every manifest, which may count as a pull of each
    #[arg(long, value_name = "HOW", value_enum, default_value = "quick", help_heading = "Run")]
    freed: FreedHow,
    #[command(flatten, next_help_heading = "Run")]
    pub deletion: DeletionFlags,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Show {
    Kept,
    Deleted,
    All,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum FreedHow {
    Exact,
    Quick,
}

impl Args {
    fn show(&self) -> Show {
        let usual = if self.consent.dry_run { Show::All } else { Show::Deleted };
        self.show.unwrap_or(usual)
    }

    fn wants(&self, action: Action) -> bool {
        match self.show() {
            Show::All => true,
            Show::Kept => action == Action::Keep,
            Show::Deleted => action == Action::Delete,
        }
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let rules = args.rules()?;
    context.one_profile(rules.iter().flat_map(|rules| &rules.stores).map(|store| store.provider))?;
    // What is gone by now is what was wanted.
    context.printer.ignore_missing();
    args.consent.can_be_had()?;
    let files = args.in_use.open(context, false).await?;
    let wanted = Wanted {
        in_use: InUse { check: args.in_use.check(), recursive: args.deletion.recursive },
        exactly: args.freed == FreedHow::Exact,
    };
    let made = Made::of(context, rules, files, wanted).await?;
    context.printer.head(show::head(context, &made, wanted));
    args.say(context, &made);
    if made.stopped() {
        made.stops().iter().for_each(|stop| context.printer.error(&Error::from(stop.clone())));
        return Ok(Exit::Refused);
    }
    if args.consent.dry_run {
        return Ok(made.exit(Tally::new(true)));
    }
    let mut order = Order::chosen(&made, wanted.in_use);
    let ended = delete::run(&mut order, context, args.consent.how(true, true)).await?;
    if args.wants(Action::Keep) {
        for of in made.stores() {
            show::items(&of, |row| row.action() == Action::Keep).for_each(|item| context.printer.item(&item));
        }
    }
    context.finish();
    Ok(made.exit(ended))
}

impl Args {
    fn rules(&self) -> Result<Vec<Rules>> {
        match &self.policy {
            Some(file) => {
                self.all_in_policy()?;
                rules::of_file(file, &self.stores)
            }
            None => Ok(vec![rules::of_flags(&self.stores, &self.selectors, &self.guards)?]),
        }
    }

    /// A policy says itself what is stale: flags beside it would be read in two ways.
    fn all_in_policy(&self) -> Result<()> {
        if self.selectors == Selectors::default() && self.guards == GuardArgs::default() {
            return Ok(());
        }
        let message = "a policy says itself which images go and what guards them";
        Err(Error::new(Kind::Usage, message)
            .hint("leave the selectors and guards away, or name the stores without --policy"))
    }

    /// Says what the plan is: as data in a dry run, else as much as somebody must see who agrees to it.
    fn say(&self, context: &Context, made: &Made) {
        if !self.in_use.check() && made.has_machines() {
            context.printer.warn("nobody asked what instances, templates and families need (--skip-usage-check)");
        }
        for list in &made.lists {
            context.printer.remark(list);
        }
        match (self.consent.dry_run, self.consent.is_given() && !made.stopped()) {
            (true, _) => self.print_plan(context, made),
            (false, true) => made.stores().for_each(|of| show::total(context, &of)),
            (false, false) if context.printer.for_people() => self.show_plan(context, made),
            (false, false) => {}
        }
    }

    /// The plan as a person must see it, whatever the format of the data: all that goes, whatever else is wanted.
    fn show_plan(&self, context: &Context, made: &Made) {
        for of in made.stores() {
            show::total(context, &of);
            let shown = |row: &Row| row.action() == Action::Delete || self.wants(row.action());
            let items: Vec<Item> = show::items(&of, shown).collect();
            if !items.is_empty() {
                context.printer.plan(&items);
            }
        }
    }

    /// Prints a plan that nobody is asked to agree to.
    fn print_plan(&self, context: &Context, made: &Made) {
        for of in made.stores() {
            show::total(context, &of);
            for item in show::items(&of, |row| self.wants(row.action())) {
                context.printer.item(&item);
            }
            context.printer.end_table();
        }
        context.finish();
    }
}
