//! `imgctl restore`: undoes a recorded run, brings back single images, and takes images out of the archive.

use super::consent::Consent;
use crate::{
    context::Context,
    error::Result,
    exit::Exit,
    help::{Example, examples},
    restore::{self, Named},
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("Undo the last run.", "imgctl delete -yq ecr:base/alpine:3.10.0 && imgctl restore --yes last"),
    (
        "Show what can be restored of one image; change nothing.",
        "imgctl delete -yq ecr:base/alpine:3.10 &&\n    imgctl restore -n ecr:base/alpine:3.10",
    ),
    (
        "Bring back an archived image; wait until it can be pulled.",
        "imgctl delete -yq --archive --all-tags ecr:base/alpine:3.10 &&\n    imgctl restore --yes ecr:base/alpine:3.10",
    ),
    (
        "List what cannot come back, with the reasons.",
        "imgctl restore -n ecr:base/alpine:3.10 -q -o json | jq '[.items[] | .error]'",
    ),
];

/// Restore deleted and archived images
///
/// A run is named by its id, by the beginning of its id, or as `last`; `imgctl history` lists them. imgctl puts back the
/// manifests and tags that the run removed. A deleted image can come back only as long as its registry keeps the layers:
/// imgctl checks them first, and AWS does not say how long that is. A tag that points to another image now stays there.
///
/// An image is named by its reference: one in the archive becomes active again, which takes up to 20 minutes; one that was
/// deleted is looked up in the records of this machine.
///
/// CVM and Workspace cannot restore images.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Runs on record, files with a record (`-` reads standard input), or images
    #[arg(value_name = "RUN|FILE|IMAGE", required = true)]
    what: Vec<String>,
    #[command(flatten)]
    pub consent: Consent,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let named = args.what.iter().map(|word| Named::read(word)).collect::<Result<Vec<_>>>()?;
    args.consent.can_be_had()?;
    let wishes = restore::wishes(named, context).await?;
    let tally = restore::run(wishes, context, args.consent.restoring()).await?;
    context.finish();
    Ok(tally.exit())
}
