//! `imgctl check-layers`: checks that layers exist, or everything that images consist of on every platform.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::join_all;

use crate::{
    commands::given,
    context::Context,
    context::lookup::by_store,
    engine::Session,
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    image::manifest::{Blob, Contents, contents},
    image::{Digest, ImageId, ImageRef, Provider, Reference, StoreRef},
    report::{Item, State},
    store::{Image, LayerState},
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 2] = [
    ("Check that an image can still be pulled, on every platform.", "imgctl check-layers ecr:base/alpine:3.10"),
    (
        "Check layers by digest; the digests can come from any tool.",
        "imgctl get --manifest ecr:tools/ci:build-1007 | jq -r '.layers[].digest' |\n      xargs imgctl check-layers ecr:tools/ci",
    ),
];

/// Check that layers exist
///
/// Name a store and the digests of layers, or name images. For an image, imgctl checks its configuration and all its
/// layers; for an index, those of every platform.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// A store and digests of layers, or images
    #[arg(value_name = "STORE DIGEST… | IMAGE", required = true)]
    what: Vec<String>,
}

/// The deepest nesting of indexes that imgctl follows; real ones are not deeper.
const DEEPEST: usize = 5;

/// What to check in one store.
struct Check {
    digest: Digest,
    blob: Option<Blob>,
    platforms: Vec<String>,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let what = given::completed(context, &args.what).await?;
    let first: Reference = what[0].parse()?;
    let provider = match &first {
        Reference::Store(store) => store.provider,
        Reference::Image(image) => image.store.provider,
    };
    has_layers(provider)?;
    let mut items = Vec::new();
    match first {
        Reference::Store(store) => {
            let digests = layers(&store, &what[1..])?;
            let session = context.open(&store).await?;
            let checks = digests.into_iter().map(|digest| Check { digest, blob: None, platforms: Vec::new() });
            items.extend(check(context, &session, checks.collect()).await);
        }
        Reference::Image(_) => {
            let images = what.iter().map(|text| Ok(text.parse()?)).collect::<Result<Vec<ImageRef>>>()?;
            images.iter().try_for_each(|image| has_layers(image.store.provider))?;
            let of_store = async |(store, images): (Arc<StoreRef>, Vec<(usize, ImageRef)>)| {
                let session = context.open(&store).await?;
                let (checks, mut items) = walk(&session, images.into_iter().map(|(_, image)| image.id)).await;
                if let Some(error) = session.halted() {
                    context.printer.error(error);
                }
                items.extend(check(context, &session, checks).await);
                Ok::<_, Error>(items)
            };
            for of_store in join_all(by_store(images, |image| &image.store).into_iter().map(of_store)).await {
                items.extend(of_store?);
            }
        }
    }
    items.iter().for_each(|item| context.printer.item(item));
    context.finish();
    Ok(Exit::of_items(&items, false))
}

/// The digests of layers to check in a store.
fn layers(store: &StoreRef, texts: &[String]) -> Result<Vec<Digest>> {
    if texts.is_empty() {
        return Err(Error::new(Kind::Usage, format!("no layers to check: {store} is a store"))
            .hint("add digests of layers (sha256:…), or name an image by tag or digest"));
    }
    if store.is_pattern() {
        return Err(Error::new(
            Kind::Usage,
            format!("cannot check layers in {store}: it is a pattern, and layers are checked in one repository"),
        ));
    }
    let mut known = HashSet::new();
    let digests = texts.iter().map(|text| Ok(Digest::layer(text)?)).collect::<Result<Vec<_>>>()?;
    Ok(digests.into_iter().filter(|digest| known.insert(digest.clone())).collect())
}

fn has_layers(provider: Provider) -> Result<()> {
    if provider.has_containers() {
        return Ok(());
    }
    let message = format!("cannot check layers: images of {} are machine images and have no layers", provider.title());
    Err(Error::new(Kind::Unsupported, message).hint("use `imgctl get` to check that an image exists"))
}

async fn check(context: &Context, session: &Session, checks: Vec<Check>) -> Vec<Item> {
    let digests: Vec<_> = checks.iter().map(|check| check.digest.clone()).collect();
    let already = session.halted().is_some();
    let answers = session.layers(&digests).await;
    if let (false, Some(error)) = (already, session.halted()) {
        context.printer.error(error);
    }
    let home = session.store.home();
    checks.into_iter().zip(answers).map(|(check, answer)| item(&home, check, answer)).collect()
}

fn item(home: &Arc<StoreRef>, check: Check, answer: Result<LayerState>) -> Item {
    let (bytes, media_type) = check.blob.map(|blob| (blob.bytes, blob.media_type)).unwrap_or_default();
    let mut image = Image { digest: Some(check.digest.to_string()), bytes, media_type, ..Image::default() };
    let (state, error) = match answer {
        Ok(layer) => {
            image.bytes = image.bytes.or(layer.bytes);
            image.media_type = image.media_type.or(layer.media_type);
            (state(layer.state), None)
        }
        Err(error) => {
            let state = match error.kind {
                Kind::NotFound => State::Unavailable("missing".into()),
                Kind::Invalid => State::Unavailable("invalid".into()),
                _ => State::Unknown,
            };
            (state, Some(error))
        }
    };
    let reference = home.image(ImageId::Digest(check.digest));
    Item { state: Some(state), image: image.into(), platforms: check.platforms, error, ..Item::new(reference) }
}

/// The state that the provider's word for a layer stands for.
fn state(word: String) -> State {
    match word.as_str() {
        "available" => State::Available,
        _ => State::Unavailable(word),
    }
}

/// Collects the blobs of images, through indexes, one level of all of them at a time. Images that cannot be read come
/// back as items, because nothing is known about their blobs.
async fn walk(session: &Session, images: impl IntoIterator<Item = ImageId>) -> (Vec<Check>, Vec<Item>) {
    let home = session.store.home();
    let mut checks: Vec<Check> = Vec::new();
    let mut place_of: HashMap<Digest, usize> = HashMap::new();
    let mut failed = Vec::new();
    let mut seen: HashSet<ImageId> = HashSet::new();
    let mut level: Vec<(ImageId, Option<String>)> = images.into_iter().map(|image| (image, None)).collect();
    for depth in 0.. {
        level.retain(|(id, _)| seen.insert(id.clone()));
        if level.is_empty() {
            break;
        }
        let ids: Vec<_> = level.iter().map(|(id, _)| id.clone()).collect();
        let answers = session.present_manifests(&ids).await;
        let mut below = Vec::new();
        for ((id, platform), answer) in level.into_iter().zip(answers) {
            match answer.and_then(|manifest| contents(&manifest.bytes)) {
                Ok(Contents::Image(blobs)) => {
                    for blob in blobs {
                        let place = *place_of.entry(blob.digest.clone()).or_insert_with(|| {
                            let digest = blob.digest.clone();
                            checks.push(Check { digest, blob: Some(blob.clone()), platforms: Vec::new() });
                            checks.len() - 1
                        });
                        let known = &mut checks[place].platforms;
                        known.extend(platform.clone().filter(|platform| !known.contains(platform)));
                    }
                }
                Ok(Contents::Index(children)) if depth < DEEPEST => {
                    let child = |child: crate::image::manifest::Child| {
                        (ImageId::Digest(child.digest), child.platform.or_else(|| platform.clone()))
                    };
                    below.extend(children.into_iter().map(child));
                }
                Ok(Contents::Index(_)) => {
                    let error = Error::new(
                        Kind::Failed,
                        format!("cannot follow indexes that are nested more than {DEEPEST} deep"),
                    );
                    failed.push(unread(&home, id, error));
                }
                Err(error) => failed.push(unread(&home, id, error)),
            }
        }
        level = below;
    }
    (checks, failed)
}

fn unread(home: &Arc<StoreRef>, id: ImageId, error: Error) -> Item {
    let state = if error.kind == Kind::NotFound { State::Unavailable("missing".into()) } else { State::Unknown };
    Item { state: Some(state), error: Some(error), ..Item::new(home.image(id)) }
}
