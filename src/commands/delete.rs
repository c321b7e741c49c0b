//! `imgctl delete`: shows what would go, asks, deletes exactly that, reports each image.

use std::path::PathBuf;

use super::{consent::Consent, in_use::InUseArgs};
use crate::{
    context::Context,
    delete::{
        self, Order, Usage, Wish,
        saved::{self, Given},
    },
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    image::{ImageRef, Provider},
    prune::saved::SavedPlan,
    settings::DeletionFlags,
    survey::InUse,
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
    #[command(flatten)]
    pub consent: Consent,
    /// Delete what a tag points to, with all its tags
    #[arg(long)]
    all_tags: bool,
    /// An image that is not there counts as done
    #[arg(long)]
    ignore_missing: bool,
    /// Refuse to run when more images than this are named
    #[arg(long, value_name = "N")]
    max_delete: Option<usize>,
    #[command(flatten)]
    pub deletion: DeletionFlags,
    #[command(flatten, next_help_heading = "With a plan: what is in use by now")]
    in_use: InUseArgs,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    if args.ignore_missing {
        context.printer.ignore_missing();
    }
    let mut order = match args.given(context).await? {
        Given::Images(images) => args.named(&images, context).await?,
        Given::Plan(plan) => args.saved(plan, context).await?,
    };
    let tally = delete::run(&mut order, context, args.consent.how(false, args.ignore_missing)).await?;
    context.finish();
    Ok(tally.exit())
}

impl Args {
    async fn given(&self, context: &Context) -> Result<Given> {
        let (images, files) = (self.images.clone(), self.from.clone());
        context.blocking(move || saved::given(&images, &files)).await
    }

    async fn named(&self, images: &[ImageRef], context: &Context) -> Result<Order<'static>> {
        if self.in_use.is_given() {
            let message = "--in-use and --skip-usage-check need a plan, and these are images";
            return Err(Error::new(Kind::Usage, message)
                .hint("images that are named are deleted as named; `imgctl prune` keeps what is in use"));
        }
        self.guard(context, images.iter().map(|image| image.store.provider), images.len())?;
        context.printer.progress.expect(images.len());
        let shown = self.consent.dry_run || !self.consent.is_given();
        Ok(Order::named(context, images, Wish { all_tags: self.all_tags, shown }).await)
    }

    async fn saved(&self, plan: SavedPlan, context: &Context) -> Result<Order<'static>> {
        if self.deletion != plan.head.deletion {
            let message = format!("the plan was made with {}", plan.head.deletion.flags());
            return Err(Error::new(Kind::Usage, message).hint("run it with the same flags"));
        }
        if self.all_tags {
            let message = "a plan names whole images: --all-tags says nothing";
            return Err(Error::new(Kind::Usage, message));
        }
        // A plan has one source.
        let stdin_was_read = self.images == ["-"] || self.from == [PathBuf::from("-")];
        let files = self.in_use.open(context, stdin_was_read).await?;
        self.guard(context, plan.images.iter().map(|image| image.reference.store.provider), plan.images.len())?;
        if files.is_empty() && !plan.head.in_use.is_empty() {
            context
                .printer
                .warn("the plan was made with in-use lists, which are not read again; give newer ones with --in-use");
        }
        let in_use = InUse { check: self.in_use.check(), recursive: plan.head.deletion.recursive };
        Order::saved(context, plan, Usage { files, in_use, ..Usage::default() }).await
    }

    /// What stops a run before anything is sent, even a look.
    fn guard(&self, context: &Context, providers: impl Iterator<Item = Provider>, images: usize) -> Result<()> {
        context.one_profile(providers)?;
        if let Some(most) = self.max_delete
            && images > most
        {
            let message = format!("{images} images are named, and --max-delete allows {most}");
            return Err(Error::new(Kind::Guard, message).hint("nothing was sent; raise --max-delete if all are meant"));
        }
        if images > 0 { self.consent.can_be_had() } else { Ok(()) }
    }
}
