//! `imgctl get`: what the providers know of images, without side effects; or one manifest's exact bytes.

use std::path::PathBuf;

use crate::{
    context::Context,
    error::{Error, Kind, Result},
    exit::Exit,
    image::ImageRef,
    intake, lookup,
};

/// Show details of images
#[derive(clap::Args)]
pub struct Args {
    /// Images; `-` reads references, or imgctl's own JSON, from standard input
    #[arg(value_name = "IMAGE", required_unless_present = "from")]
    images: Vec<String>,
    /// Read references, or imgctl's own JSON, from a file
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Print the manifest's exact bytes, checked against its digest (one ECR image; counts as a pull)
    #[arg(long)]
    manifest: bool,
    /// An image that is not there counts as done
    #[arg(long)]
    ignore_missing: bool,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let images: Vec<ImageRef> = intake::read(&args.images, &args.from)?;
    context.one_profile(images.iter().map(|image| image.store.provider))?;
    if args.manifest {
        return manifest(context, &images).await;
    }
    let mut items = Vec::new();
    lookup::images(context, &images, |item| {
        context.printer.item(&item);
        items.push(item);
    })
    .await;
    context.finish();
    Ok(Exit::of_items(&items, args.ignore_missing))
}

async fn manifest(context: &Context, images: &[ImageRef]) -> Result<Exit> {
    let [image] = images else {
        let message = format!(
            "--manifest prints one image's bytes, and {} are named",
            images.len()
        );
        return Err(Error::new(Kind::Usage, message));
    };
    let session = context.open(&image.store).await?;
    let answer = session
        .manifests(std::slice::from_ref(&image.id))
        .await
        .pop();
    match answer.expect("an answer an id") {
        Ok(manifest) => {
            context.printer.raw(&manifest.bytes);
            Ok(Exit::Done)
        }
        Err(error) => {
            context.printer.error(&error);
            Ok(if error.kind.stops_store() {
                Exit::of_error(error.kind)
            } else {
                Exit::NotAll
            })
        }
    }
}
