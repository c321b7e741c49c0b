//! `imgctl prune`: looks at whole stores, chooses stale images, shows the plan with reasons, deletes exactly those images.
//!
//! Data flow: `prune::rules` holds the stores and the rules; `survey::plan` lists the stores, finds images in use and lets
//! `prune` decide; `survey::show` turns the decision into items; `delete` carries it out.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{
    consent::{Consent, can_archive},
    in_use::InUseArgs,
};
use crate::{
    context::Context,
    delete::{self, How, Order},
    error::{Error, Kind, Result},
    exit::{Exit, Tally},
    help::{Example, examples},
    prune::{
        Action, GuardArgs, Row, Selectors,
        rules::{self, Rules},
    },
    record::Source,
    report::Item,
    settings::DeletionFlags,
    survey::{
        plan::{Made, OfStore, Wanted},
        show::{self, Aside},
        sketch,
    },
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    (
        "Delete images older than 30 days, but keep the newest 10 of them.",
        "imgctl prune 'ecr:team/*' --older-than 30d --keep 10 --dry-run",
    ),
    (
        "Delete untagged images that nothing needs and ECS and Lambda do not use.",
        "imgctl prune ecr:team/app --untagged --older-than 20w --ask ecs,lambda -y",
    ),
    ("Save a plan, and run it later.", "imgctl prune cvm: --keep 1 -n -o json > plan && imgctl delete -y --from plan"),
    (
        "Prune an OCI registry by the date of the builds.",
        "imgctl prune ghcr.io/tools/ci --tag 'build-*' --built-before 90d --yes",
    ),
];

/// Delete stale images, chosen by rules
///
/// imgctl looks at every image of the stores and chooses those that match all selectors. It keeps images that kept images
/// need, protected images and images in use. It shows each image with a reason and asks for confirmation; without a
/// terminal you need `--yes`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`, `ghcr.io/owner/app`; with --policy: names of policies
    #[arg(value_name = "STORE", required_unless_present = "policy")]
    stores: Vec<String>,
    /// Read stores, selectors and guards from this file; run all its policies, or the ones you name
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
    /// Images of the plan to list, one a line [default: at a terminal one screen in groups, otherwise all]
    #[arg(long, value_name = "WHICH", value_enum, help_heading = "Run")]
    show: Option<Show>,
    /// How to compute the freed bytes: quick from sizes, or exact from every manifest (may count as pulls)
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
            Show::Deleted => action != Action::Keep,
        }
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let rules = args.rules()?;
    args.in_use.demand(&rules)?;
    context.one_profile(rules.iter().flat_map(|rules| &rules.stores).map(|store| store.provider))?;
    let archive = rules::archives(&rules, args.deletion.archive)?;
    if archive {
        can_archive(rules.iter().flat_map(|rules| &rules.stores).map(|store| store.provider))?;
    }
    // An image that no longer exists needs no deletion.
    context.printer.ignore_missing();
    args.consent.can_be_had()?;
    let files = args.in_use.open(context, false).await?;
    let ask = rules.iter().fold(args.in_use.ask(), |ask, rules| ask.of(&rules.ask));
    let wanted = Wanted {
        in_use: args.in_use.wanted(args.deletion.recursive, ask),
        exactly: args.freed == FreedHow::Exact,
        archive,
        replicated: args.consent.replicated,
    };
    let made = Made::of(context, rules, files, wanted.clone()).await?;
    context.printer.head(show::head(context, &made, &wanted));
    args.say(context, &made);
    if made.stopped() {
        made.stops().iter().for_each(|stop| context.printer.error(&Error::from(stop.clone())));
        return Ok(Exit::Refused);
    }
    if args.consent.dry_run {
        return Ok(made.exit(Tally::new(true)));
    }
    let mut order = Order::chosen(&made, wanted.in_use);
    let policy = args.policy.as_deref().map(Source::of_file).transpose()?;
    let how = How { policy, ..args.consent.how(Some(show::freed(&made)), true) };
    let ended = delete::run(&mut order, context, how).await?;
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

    /// Refuses selectors and guards beside a policy: it would be unclear which of the two apply.
    fn all_in_policy(&self) -> Result<()> {
        if self.selectors == Selectors::default() && self.guards == GuardArgs::default() {
            return Ok(());
        }
        let message = "cannot use selectors or guards with --policy: the policy file sets them";
        Err(Error::new(Kind::Usage, message).hint("remove these flags, or name the stores without --policy"))
    }

    /// Shows the plan: as data in a dry run, otherwise as much as a user must see before confirming.
    fn say(&self, context: &Context, made: &Made) {
        if !self.in_use.check() && made.has_machines() {
            context.printer.warn_of(
                "imgctl did not check which images instances, templates and families use (--skip-usage-check)",
            );
        }
        made.unmatched().iter().for_each(|unmatched| context.printer.warn(unmatched));
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

    /// Shows the plan to the user, in any output format: always all images to delete.
    fn show_plan(&self, context: &Context, made: &Made) {
        if self.is_short(context) {
            return self.sketch(context, made);
        }
        for of in made.stores() {
            show::total(context, &of);
            let shown = |row: &Row| row.action() == Action::Delete || self.wants(row.action());
            let items: Vec<Item> = show::items(&of, shown).collect();
            if !items.is_empty() {
                context.printer.plan(&items);
            }
        }
        notes(made).iter().for_each(|note| context.printer.remark(note));
    }

    /// Prints the plan of a dry run.
    fn print_plan(&self, context: &Context, made: &Made) {
        if self.is_short(context) {
            for of in made.stores() {
                show::items(&of, |_| true).for_each(|item| context.printer.counts(&item));
            }
            self.sketch(context, made);
            return context.finish();
        }
        for of in made.stores() {
            show::total(context, &of);
            for item in show::items(&of, |row| self.wants(row.action())) {
                context.printer.item(&item);
            }
            context.printer.end_table();
        }
        notes(made).into_iter().for_each(|note| context.printer.remark_last(note));
        context.finish();
    }
}

impl Args {
    /// A person who did not ask for all images gets one screen.
    fn is_short(&self, context: &Context) -> bool {
        self.show.is_none() && context.printer.has_screen(self.consent.dry_run)
    }

    /// Shows the plan on one screen, with the counts of what has no place on it.
    fn sketch(&self, context: &Context, made: &Made) {
        let stores: Vec<OfStore> = made.stores().collect();
        let asides: Vec<_> = stores.iter().flat_map(show::asides).collect();
        asides.iter().for_each(|aside| aside.print(context));
        let notes = notes(made);
        notes.iter().for_each(|note| context.printer.remark(note));
        let lines = asides.iter().map(Aside::text).chain(made.lists.iter().chain(&notes).map(|line| &**line));
        let stops = made.stops().iter().flat_map(|stop| [&*stop.message, &*stop.hint]);
        let beside: Vec<&str> = lines.chain(stops).collect();
        context.printer.sketch(
            &sketch::sections(&stores, self.wants(Action::Keep)),
            &beside,
            self.consent.dry_run,
            "--show all",
        );
    }
}

/// What the archive costs, and what can be undone.
fn notes(made: &Made) -> Vec<String> {
    let stores: Vec<OfStore> = made.stores().collect();
    delete::notes(stores.iter().flat_map(|of| show::items(of, |row| row.action() == Action::Delete)))
}
