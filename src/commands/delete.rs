//! `imgctl delete`: shows what would go, asks, deletes exactly that, reports each image.

use std::{path::PathBuf, time::Duration};

use super::prune::InUseArgs;
use crate::{
    commands::values::duration,
    context::Context,
    delete::look::Wish,
    delete::{
        named::Plan,
        saved::{self, Asked},
    },
    engine::Options,
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    output::{question::question, somebody_can_agree},
    prune::saved::SavedPlan,
    report::Item,
    settings::Settings,
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    (
        "What would go, and what would stay? Nothing changes.",
        "imgctl delete --dry-run ecr:base/alpine:3.10.0 ecr:base/alpine:3.10",
    ),
    (
        "In a pipeline: what is gone already is fine, more than 9 are a slip.",
        "imgctl delete -y --ignore-missing --max-delete 9 ecr:tools/ci:build-1007",
    ),
    (
        "Whatever a listing chooses, shown before it goes.",
        "imgctl list 'ecr:team/*' --tag 'v1.*' -o ndjson | imgctl delete - --dry-run",
    ),
    ("Several clouds in one run.", "imgctl delete -y cvm:img-2z9lgipz workspace:697620082246500000"),
];

/// Delete images
///
/// By tag (`ecr:app:v1`) the tag goes, and the image with its last tag; by digest (`ecr:app@sha256:…`) the image goes
/// with all its tags. The plan is shown and a person is asked; without a terminal, `--yes` is needed.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Images; `-` reads references, or imgctl's own JSON, from standard input
    #[arg(value_name = "IMAGE", required_unless_present = "from")]
    images: Vec<String>,
    /// Read references, or imgctl's own JSON, from a file; or run the plan that `prune --dry-run -o json` saved
    ///
    /// Of a plan each image is held against its store as it is now: what changed since, by tags, indexes, signatures or
    /// use, is refused.
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Show what would happen and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Agree to the plan beforehand
    #[arg(short, long)]
    yes: bool,
    /// Delete what a tag points to, with all its tags
    #[arg(long)]
    all_tags: bool,
    /// An image that is not there counts as done
    #[arg(long)]
    ignore_missing: bool,
    /// Refuse to run when more images than this are named
    #[arg(long, value_name = "N")]
    max_delete: Option<usize>,
    /// Do not wait for jobs and slow deletions
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for one job
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration)]
    timeout_job: Duration,
    /// Workspace: also the servers and groups that depend on an image server
    #[arg(long)]
    recursive: bool,
    /// CVM: also the snapshots bound to an image
    #[arg(long)]
    delete_snapshots: bool,
    #[command(flatten, next_help_heading = "With a plan: what is in use by now")]
    in_use: InUseArgs,
}

impl Args {
    /// What this command's flags change in the settings.
    pub fn settle(&self, settings: &mut Settings) {
        settings.recursive = self.recursive;
        settings.delete_snapshots = self.delete_snapshots;
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    if args.ignore_missing {
        context.printer.ignore_missing();
    }
    let images = match saved::asked(&args.images, &args.from)? {
        Asked::Plan(plan) => return args.run_plan(plan, context).await,
        Asked::Images(images) => images,
    };
    if args.in_use.is_given() {
        let message = "--in-use and --skip-usage-check are about plans, and this is none";
        return Err(Error::new(Kind::Usage, message)
            .hint("images that are named are deleted as named; `imgctl prune` keeps what is in use"));
    }
    context.one_profile(images.iter().map(|image| image.store.provider))?;
    args.guard(images.len())?;
    context.printer.expect(images.len());
    let ask = !args.yes && !args.dry_run;
    let wish = Wish { all_tags: args.all_tags, shown: ask || args.dry_run };
    let mut plan = Plan::make(context, &images, wish).await;
    if args.dry_run {
        let items = plan.rehearse().await;
        return Ok(args.report(context, &plan, &items, true));
    }
    let mut agreed = false;
    if ask && plan.stores.iter().any(|store| !store.targets.is_empty()) {
        args.ask(context, &mut plan).await?;
        agreed = true;
    }
    let options = args.options(agreed);
    let items = plan.apply(&options, |item| context.printer.ended_with(item)).await;
    Ok(args.report(context, &plan, &items, !context.printer.streams()))
}

impl Args {
    /// What stops a run before anything is sent, even a look.
    fn guard(&self, images: usize) -> Result<()> {
        if let Some(most) = self.max_delete
            && images > most
        {
            let message = format!("{images} images are named, and --max-delete allows {most}");
            return Err(Error::new(Kind::Guard, message).hint("nothing was sent; raise --max-delete if all are meant"));
        }
        if !self.yes && !self.dry_run && images > 0 {
            somebody_can_agree()?;
        }
        Ok(())
    }

    /// Shows the plan and asks; anything but a yes ends the run with nothing deleted.
    async fn ask(&self, context: &Context, plan: &mut Plan) -> Result<()> {
        let items = plan.rehearse().await;
        let printer = &context.printer;
        printer.plan(&items);
        context.agreed(&question(&items, plan.places())?).await
    }

    /// Runs a saved plan: what it deletes, as far as it is still as it was.
    async fn run_plan(&self, plan: SavedPlan, context: &Context) -> Result<Exit> {
        for (flag, here, there) in [
            ("--recursive", self.recursive, plan.head.recursive),
            ("--delete-snapshots", self.delete_snapshots, plan.head.delete_snapshots),
        ] {
            if here != there {
                let made = if there { "with" } else { "without" };
                let message = format!("the plan was made {made} {flag}");
                return Err(Error::new(Kind::Usage, message).hint("run it as it was made"));
            }
        }
        if self.all_tags {
            let message = "a plan names whole images: --all-tags says nothing";
            return Err(Error::new(Kind::Usage, message));
        }
        context.one_profile(plan.images.iter().map(|image| image.reference.store.provider))?;
        // A plan has one source.
        let stdin_was_read = self.images == ["-"] || self.from == [PathBuf::from("-")];
        let files = self.in_use.open(stdin_was_read)?;
        self.guard(plan.images.len())?;
        let mut carrying = saved::open(context, plan, files, self.in_use.check()).await?;
        if self.dry_run {
            let items = carrying.rehearse(context).await?;
            items.iter().for_each(|item| context.printer.item(item));
            context.finish();
            return Ok(Exit::of_items(&items, self.ignore_missing));
        }
        if !self.yes && !carrying.is_empty() {
            let items = carrying.rehearse(context).await?;
            context.printer.plan(&items);
            context.agreed(&question(&items, carrying.places())?).await?;
        }
        let items = carrying.out(context, &self.options(true)).await?;
        context.finish();
        Ok(Exit::of_items(&items, self.ignore_missing))
    }

    fn options(&self, agreed: bool) -> Options {
        Options { agreed, no_wait: self.no_wait, job_timeout: self.timeout_job }
    }

    fn report(&self, context: &Context, plan: &Plan, items: &[Item], print: bool) -> Exit {
        plan.stores.iter().filter_map(|store| store.session.halted()).for_each(|error| context.printer.error(error));
        if print {
            items.iter().for_each(|item| context.printer.item(item));
        }
        context.finish();
        Exit::of_items(items, self.ignore_missing)
    }
}
