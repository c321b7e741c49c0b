//! `imgctl get`: shows details of images without side effects, or the exact bytes of one manifest.

use std::path::PathBuf;

use crate::{
    commands::given,
    context::Context,
    context::lookup,
    engine::Outcome,
    engine::{Op, Verdict},
    error::{Error, Kind, Result},
    exit::{Exit, Tally},
    help::{Example, examples},
    image::{ImageId, ImageRef},
    intake::{self, Empty},
    report::Item,
    settings::Sharing,
    store::{Answer, Job},
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("Show an image without pulling it.", "imgctl get ecr:base/alpine:3.10"),
    ("Get one field for a script.", "imgctl get ecr:base/alpine:3.10 -q -o json | jq -r '.items[].digest'"),
    ("Save the exact bytes of a manifest.", "imgctl get --manifest ecr:base/alpine:3.10 > manifest.json"),
    ("Check that an image exists: a missing one ends with exit code 1.", "imgctl get -q ecr:base/alpine:no-such-tag"),
];

/// Show details of images
///
/// In a pipe, each image is one line with tabs between the columns, as `imgctl list` prints it. `-o table` prints the
/// table of a terminal.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Images; `-` reads references or imgctl's JSON from standard input
    #[arg(value_name = "IMAGE", required_unless_present_any = ["from", "job"])]
    images: Vec<String>,
    /// Read references or imgctl's JSON from a file
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Accept input without any image
    #[arg(long)]
    allow_empty_input: bool,
    /// Print the exact bytes of a manifest, checked against its digest (one ECR image; counts as a pull)
    #[arg(long)]
    manifest: bool,
    #[command(flatten)]
    pub sharing: Sharing,
    /// Show the result of a job that a deletion did not wait for: the `job` in its report
    #[arg(long, value_name = "JOB", conflicts_with_all = ["images", "from", "manifest"])]
    job: Option<ImageRef>,
    /// Count missing images as done
    #[arg(long)]
    ignore_missing: bool,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    if let Some(job) = &args.job {
        return follow(context, job).await;
    }
    let empty = Empty::allowed(args.allow_empty_input);
    let read = move |images: &[String], files: &[PathBuf]| intake::read(images, files, empty);
    let images = given::images(context, &args.images, &args.from, read).await?;
    context.one_profile(images.iter().map(|image| image.store.provider))?;
    if args.manifest {
        return manifest(context, &images).await;
    }
    if args.ignore_missing {
        context.printer.ignore_missing();
    }
    context.printer.page(context.settings.env.pager());
    context.printer.lists();
    context.printer.columns(false, true);
    let mut tally = Tally::new(args.ignore_missing);
    lookup::images(context, &images, |item| {
        context.printer.progress.seen(1);
        context.printer.item(&item);
        tally.add(&item);
    })
    .await;
    context.finish();
    Ok(tally.exit())
}

async fn manifest(context: &Context, images: &[ImageRef]) -> Result<Exit> {
    let [image] = images else {
        let message = format!("--manifest takes one image, and you named {}", images.len());
        return Err(Error::new(Kind::Usage, message));
    };
    let session = context.open(&image.store).await?;
    let answer = session.present_manifests(std::slice::from_ref(&image.id)).await.pop();
    match answer.expect("an answer an id") {
        Ok(manifest) => {
            context.printer.raw(&manifest.bytes);
            Ok(Exit::Done)
        }
        Err(error) => {
            context.printer.error(&error);
            Ok(if error.kind.stops_store() { Exit::of_error(error.kind) } else { Exit::NotAll })
        }
    }
}

/// Reports the images of a job, as far as the provider knows.
async fn follow(context: &Context, named: &ImageRef) -> Result<Exit> {
    let ImageId::Named(id) = &named.id else {
        return Err(Error::new(
            Kind::Unsupported,
            format!("cannot follow a job: {} has no jobs", named.store.provider.title()),
        ));
    };
    let session = context.open(&named.store).await?;
    let job = Job { id: id.clone() };
    let answer = session.ask(Op::Poll, || session.store.poll(&job)).await;
    let home = session.store.home();
    let verdicts = match answer {
        Ok(Some(Answer::Each(answers))) if answers.is_empty() => {
            let silent = Error::new(Kind::Lost, "the job ended, but the provider did not report any image")
                .hint("check the images with `imgctl get`");
            vec![(named.id.clone(), Verdict::unknown(silent))]
        }
        Ok(Some(Answer::Each(answers))) => {
            let verdict = |answer: Result<_>| answer.map_or_else(Verdict::failed, |_| Verdict::of(Outcome::Deleted));
            answers.into_iter().map(|(id, answer)| (id, verdict(answer))).collect()
        }
        Ok(Some(Answer::All(_))) => vec![(named.id.clone(), Verdict::of(Outcome::Deleted))],
        Ok(None) => vec![(named.id.clone(), Verdict::of(Outcome::Accepted))],
        Err(error) if error.kind.stops_store() => return Err(error),
        Err(error) => vec![(named.id.clone(), Verdict::failed(error))],
    };
    let item = |(id, verdict): (ImageId, Verdict)| Item {
        outcome: Some(verdict.outcome),
        error: verdict.error,
        job: Some(home.image(named.id.clone()).to_string()),
        ..Item::new(home.image(id))
    };
    let items: Vec<Item> = verdicts.into_iter().map(item).collect();
    items.iter().for_each(|item| context.printer.item(item));
    context.finish();
    Ok(Exit::of_items(&items, false))
}
