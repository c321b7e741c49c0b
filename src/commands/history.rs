//! `imgctl history`: the runs on record, the images of one run, and what became of those whose outcome nobody saw.

use chrono::Utc;
use futures_util::future::join_all;

use crate::{
    context::{Context, lookup::by_store},
    engine::{Aim, Outcome, Sent, Target, Verdict},
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    image::{ImageId, ImageRef, Reference},
    record::{
        Action, Brief, Filter, FilterArgs, Folder, Record, Recorded, folder,
        read::{self, Manifests},
    },
    report::Item,
    store::Job,
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("List the runs of a week, with what became of their images.", "imgctl history --since 7d"),
    ("Show the images of the newest run.", "imgctl delete -y ecr:base/alpine:3.10 && imgctl history last"),
    ("Find the run that deleted an image.", "imgctl history --image ecr:base/alpine:3.10"),
    ("Settle what a killed run left uncertain.", "imgctl delete -y cvm:img-2z9lgipz && imgctl history last --check"),
];

/// Show past runs that changed something
///
/// Every `delete` and `prune` records what it is about to delete before it sends the call, and how it ended after. The
/// record of a container image holds its manifest. Records are files for you alone below ~/.local/state/imgctl, or below
/// IMGCTL_STATE_DIR. In CI (the variable CI is set), imgctl records runs only if you set IMGCTL_STATE_DIR, because the
/// home of a runner is thrown away. Later runs drop records that are older than 90 days, and the oldest while all
/// together exceed 1 GiB.
///
/// Reading a manifest may count as a pull: if a run ends early, images that it read and did not delete can show a recent
/// pull.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// A run, to show its images: its id, the beginning of its id, or `last`
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Look at the images of RUN whose outcome is not certain, and record what became of them
    #[arg(long, requires = "run")]
    check: bool,
    #[command(flatten, next_help_heading = "Which runs, or images of RUN")]
    filter: FilterArgs,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    context.printer.page(context.settings.env.pager());
    let folder = folder_of(context)?;
    let filter = args.filter.compile(Utc::now())?;
    match &args.run {
        None => list(&folder, &filter, context),
        Some(run) => show(&folder, run, args.check, &filter, context).await,
    }
}

fn folder_of(context: &Context) -> Result<Folder> {
    let nowhere = || {
        Error::new(Kind::Config, "there is no record: this system, or CI, names no folder for it")
            .hint("set IMGCTL_STATE_DIR to the folder of the records")
    };
    context.settings.env.state().map(|state| Folder::below(&state)).ok_or_else(nowhere)
}

/// Lists runs, the newest first.
fn list(folder: &Folder, filter: &Filter, context: &Context) -> Result<Exit> {
    let mut runs = folder.runs()?;
    runs.retain(|run| folder::began_at(run).is_some_and(|began_at| filter.takes_time(began_at)));
    let mut found = Vec::new();
    for run in runs.iter().rev() {
        match matching(folder, run, filter) {
            Ok(brief) => found.extend(brief),
            Err(error) => context.printer.warn(&error.to_string()),
        }
    }
    if found.is_empty() {
        context.printer.note("no matching runs on record");
    }
    context.printer.runs(found);
    Ok(Exit::Done)
}

/// A run, if it matches.
fn matching(folder: &Folder, run: &str, filter: &Filter) -> Result<Option<Brief>> {
    let brief = Brief::read(folder, run)?;
    if !filter.takes_run(&brief) {
        return Ok(None);
    }
    let has_image = || {
        let record = read::file(&folder.path(run), Manifests::Skip)?;
        Ok::<_, Error>(record.images.iter().any(|image| filter.takes_image(image)))
    };
    Ok((!filter.needs_images() || has_image()?).then_some(brief))
}

/// Shows the images of one run.
async fn show(folder: &Folder, name: &str, check: bool, filter: &Filter, context: &Context) -> Result<Exit> {
    let run = folder.find(name)?;
    let goes_on = folder.goes_on(&run);
    let mut record = read::file(&folder.path(&run), Manifests::Skip)?;
    if check {
        settle(folder, &mut record, context).await?;
    }
    context.printer.run_head(Brief::of(&record, goes_on));
    for image in record.images.iter().filter(|image| filter.takes_image(image)) {
        context.printer.item(&item(image, goes_on)?);
    }
    context.finish();
    let open = record.uncertain().len();
    if open > 0 && !check && !goes_on {
        context.printer.remark(&format!("look what became of them with `imgctl history {run} --check`"));
    }
    Ok(if check && open > 0 { Exit::NotAll } else { Exit::Done })
}

/// The item of an image.
fn item(image: &Recorded, goes_on: bool) -> Result<Item> {
    let text = image.saved.as_ref().map(|saved| &saved.reference);
    let text = text.or_else(|| image.ended.as_ref()?.reference.as_ref());
    let text = text.ok_or_else(|| Error::new(Kind::Usage, "the record does not name one of its images"))?;
    let reference: Reference = text.parse().map_err(Error::from)?;
    let mut item = Item::new(reference);
    if let Some(saved) = &image.saved {
        let mut image = (*saved.image).clone();
        image.takes_along.clone_from(&saved.takes_along);
        image.leaves_behind.clone_from(&saved.left_behind);
        item.image = image.into();
    }
    item.request_ids.clone_from(&image.request_ids);
    match &image.ended {
        Some(ended) => {
            item.ends_with(ended.outcome);
            item.error.clone_from(&ended.error);
            if let (Some(id), Reference::Image(image)) = (&ended.job, &item.reference) {
                item.job = Some(image.store.image(ImageId::Named(id.clone())).to_string());
            }
        }
        None => {
            item.ends_with(Outcome::Unknown);
            let why = if goes_on { "the run goes on" } else { "the run was killed before it saw the outcome" };
            item.error = Some(Error::new(Kind::Lost, why));
        }
    }
    Ok(item)
}

/// Looks at the images whose outcome is not certain, and adds to the record what became of them.
async fn settle(folder: &Folder, record: &mut Record, context: &Context) -> Result<()> {
    // Nobody else may add to the record, least of all the run itself.
    drop(folder.append(&record.head.run)?);
    let open = record.uncertain().into_iter().filter_map(|place| {
        let saved = record.images[place].saved.as_ref()?;
        let reference = saved.reference().ok()?;
        let seen = (saved.image.pushed_at.or(saved.image.created_at)).map(|_| saved.image.clone().into());
        let job = record.images[place].ended.as_ref().and_then(|ended| Some(Job { id: ended.job.clone()? }));
        Some((place, reference, seen, job, saved.at))
    });
    let open: Vec<_> = open.collect();
    let aim = match record.head.action {
        Action::Delete => Aim::Delete,
        Action::Archive => Aim::Archive,
        Action::Restore => Aim::Restore,
    };
    let stores = by_store(open, |(_, reference, ..): &(usize, ImageRef, _, _, _)| &reference.store);
    let looks = stores.into_iter().map(|(store, images)| async move {
        let session = context.open(&store).await?;
        let (places, sent): (Vec<usize>, Vec<Sent>) = images
            .into_iter()
            .map(|(_, (place, reference, seen, job, at))| {
                (place, Sent { target: Target { seen, ..Target::exact(reference.id) }, job, at })
            })
            .unzip();
        Ok::<_, Error>(places.into_iter().zip(session.settle(aim, &sent).await).collect::<Vec<_>>())
    });
    let mut settled: Vec<(usize, Verdict)> = Vec::new();
    for found in join_all(looks).await {
        match found {
            Ok(found) => {
                for (place, verdict) in found {
                    match verdict {
                        Ok(verdict) => settled.push((place, verdict)),
                        Err(error) => context.printer.error(&error),
                    }
                }
            }
            Err(error) => context.printer.error(&error),
        }
    }
    record.settle(folder, settled).await
}
