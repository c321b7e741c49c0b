//! `imgctl delete`: shows the plan, asks for confirmation, deletes exactly those images, reports each one.

use std::path::PathBuf;

use super::{
    consent::{Consent, can_archive},
    given,
    in_use::InUseArgs,
};
use crate::{
    context::Context,
    delete::{
        self, How, Order, Usage, Wish,
        saved::{self, Given},
    },
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    image::{ImageRef, Provider, Short},
    intake::Empty,
    prune::saved::SavedPlan,
    settings::DeletionFlags,
    store::Ask,
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    (
        "Show what would be deleted; change nothing.",
        "imgctl delete --dry-run ecr:base/alpine:3.10.0 ecr:base/alpine:3.10",
    ),
    (
        "In a pipeline: accept missing images, refuse more than 9.",
        "imgctl delete -y --ignore-missing --max-delete 9 ecr:tools/ci:build-1007",
    ),
    (
        "Show what would happen to the images of a listing.",
        "imgctl list 'ecr:team/*' --tag 'v1.*' -o ndjson | imgctl delete - --dry-run",
    ),
    (
        "Delete images of a cloud and of an OCI registry in one run.",
        "imgctl delete -y cvm:img-2z9lgipz registry.example.com/team/app:v1.0.0",
    ),
];

/// Delete images
///
/// By tag (`ecr:app:v1`), imgctl removes the tag, and deletes the image with its last tag. By digest
/// (`ecr:app@sha256:…`), it deletes the image with all its tags. It shows the plan and asks for confirmation; without a
/// terminal you need `--yes`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Images; `-` reads references or imgctl's JSON from standard input
    #[arg(value_name = "IMAGE", required_unless_present = "from")]
    images: Vec<String>,
    /// Read references or imgctl's JSON from a file, or run a plan saved by `prune --dry-run -o json`
    ///
    /// imgctl compares each image of a plan with its store. It refuses images that changed since: by tags, indexes,
    /// signatures or use.
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Accept input without any image: nothing is done, with exit code 0
    #[arg(long)]
    allow_empty_input: bool,
    #[command(flatten)]
    pub consent: Consent,
    /// Delete the image that a tag points to, with all its tags
    #[arg(long)]
    all_tags: bool,
    /// Count missing images as done
    #[arg(long)]
    ignore_missing: bool,
    /// Refuse to run if you name more than N images
    #[arg(long, value_name = "N")]
    max_delete: Option<usize>,
    #[command(flatten)]
    pub deletion: DeletionFlags,
    #[command(flatten, next_help_heading = "With a plan: images in use")]
    in_use: InUseArgs,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    if args.ignore_missing {
        context.printer.ignore_missing();
    }
    let (mut order, plan) = match args.given(context).await? {
        Given::Images { images, archive } => (args.named(images, archive, context).await?, None),
        Given::Plan(plan, source) => (args.saved(*plan, context).await?, Some(source)),
    };
    let how = How { plan, ..args.consent.how(None, args.ignore_missing) };
    let tally = delete::run(&mut order, context, how).await?;
    context.finish();
    Ok(tally.exit())
}

impl Args {
    async fn given(&self, context: &Context) -> Result<Given> {
        let short = self.images.iter().any(|image| Short::read(image).is_some());
        if short {
            // Completing it sends calls.
            self.consent.can_be_had()?;
        }
        let empty = Empty::allowed(self.allow_empty_input);
        let read = move |images: &[String], files: &[PathBuf]| saved::given(images, files, empty);
        given::images(context, &self.images, &self.from, read).await
    }

    async fn named(&self, images: Vec<ImageRef>, archive: bool, context: &Context) -> Result<Order<'static>> {
        if self.in_use.is_given() {
            let message = "cannot use --in-use, --ask or --skip-usage-check: they need a plan, and you named images";
            return Err(Error::new(Kind::Usage, message)
                .hint("`imgctl delete` deletes the images you name; `imgctl prune` keeps images in use"));
        }
        let archive = archive || self.deletion.archive;
        let providers = || images.iter().map(|image| image.store.provider);
        if archive {
            can_archive(providers())?;
        }
        self.guard(context, providers(), images.len())?;
        context.printer.progress.expect(images.len());
        let shown = self.consent.dry_run || !self.consent.is_given();
        let recorded = self.consent.is_recorded() && context.settings.env.state().is_some();
        Ok(Order::named(context, images, Wish { all_tags: self.all_tags, archive, shown, recorded }).await)
    }

    async fn saved(&self, plan: SavedPlan, context: &Context) -> Result<Order<'static>> {
        // An archive plan is never carried out as a deletion, and needs no flag to say so.
        let archive = self.deletion.archive || plan.head.deletion.archive;
        if (DeletionFlags { archive, ..self.deletion }) != plan.head.deletion {
            let message = format!("cannot run the plan: it was made with {}", plan.head.deletion.flags());
            return Err(Error::new(Kind::Usage, message).hint("use the same flags"));
        }
        if self.all_tags {
            let message = "cannot use --all-tags with a plan: a plan already names whole images";
            return Err(Error::new(Kind::Usage, message));
        }
        // A plan comes from one source.
        let stdin_was_read = self.images == ["-"] || self.from == [PathBuf::from("-")];
        let files = self.in_use.open(context, stdin_was_read).await?;
        self.guard(context, plan.images.iter().map(|image| image.reference.store.provider), plan.images.len())?;
        if files.is_empty() && !plan.head.in_use.is_empty() {
            context
                .printer
                .warn("imgctl does not read the in-use lists of the plan again; give current ones with --in-use");
        }
        let ask = plan.head.asked.iter().fold(self.in_use.ask(), Ask::and);
        let in_use = self.in_use.wanted(plan.head.deletion.recursive, ask);
        Order::saved(context, plan, Usage { files, in_use, ..Usage::default() }).await
    }

    /// Refuses a run before anything is sent, even a look.
    fn guard(&self, context: &Context, providers: impl Iterator<Item = Provider>, images: usize) -> Result<()> {
        context.one_profile(providers)?;
        if let Some(most) = self.max_delete
            && images > most
        {
            let message = format!("too many images: you named {images}, and --max-delete allows {most}");
            return Err(
                Error::new(Kind::Guard, message).hint("nothing was sent; raise --max-delete if you mean all of them")
            );
        }
        if images > 0 { self.consent.can_be_had() } else { Ok(()) }
    }
}
