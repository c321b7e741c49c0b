//! A world out of what `imgctl list`, `get` or `prune` printed with `-o json`: the images of a user's own accounts, to
//! rehearse on. A listing holds no manifests, users of images or snapshots' sizes beyond what it says; what it lacks
//! stays unknown, so the manifests of such a world cannot be read.

use std::borrow::Cow;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    World,
    cvm::{Image as Machine, Snapshot},
    ecr::{
        digest::Digest,
        manifest::{Blob, Content, Manifest},
        repository::Status,
    },
    workspace::state::Server,
};
use crate::{
    image::{ImageId, ImageRef, Provider},
    store::Image,
};

/// A document of imgctl, as far as it tells what is there.
#[derive(Deserialize)]
pub struct Inventory {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(flatten)]
    image: Image,
}

impl Inventory {
    /// The world that was listed. Images that were not there when they were asked for are not in it.
    pub fn into_world(self) -> Result<World> {
        let mut world = World { listed: true, ..World::default() };
        for item in self.items {
            let there = item.image.state.as_deref() != Some("missing");
            if there {
                add(&mut world, &item).with_context(|| item.reference.clone())?;
            }
        }
        Ok(world)
    }
}

fn add(world: &mut World, item: &Item) -> Result<()> {
    let reference: ImageRef = item.reference.parse().map_err(|_| anyhow!("this is not a reference"))?;
    let region = reference.store.region.clone();
    let region = region.ok_or_else(|| anyhow!("this reference names no region"))?;
    match reference.store.provider {
        Provider::Ecr => container(world, &region, &reference, &item.image),
        Provider::Cvm => machine(world, &region, &reference, &item.image),
        Provider::Workspace => server(world, &region, &reference, &item.image),
        Provider::Oci => bail!("the sandbox loads no listings of this provider"),
    }
}

fn container(world: &mut World, region: &str, reference: &ImageRef, image: &Image) -> Result<()> {
    let account = reference.store.owner.as_deref().unwrap_or(&world.ecr.account);
    if world.ecr.account != account {
        if world.ecr.repositories(region).next().is_some() {
            bail!("the sandbox emulates one account, and this is a second one");
        }
        world.ecr.account = account.to_owned();
    }
    let digest = image.digest.as_deref().unwrap_or_default();
    let digest: Digest = digest.parse().map_err(|_| anyhow!("it has no digest that can be read"))?;
    let pushed_at = image.pushed_at.unwrap_or(DateTime::UNIX_EPOCH);
    let text = |text: &Option<String>| text.clone().map(Cow::Owned);
    let manifest = Manifest {
        // Unknown, so a pull of it fails.
        text: "".into(),
        digest,
        media_type: text(&image.media_type).unwrap_or_default(),
        content: Content::Image {
            config: Blob {
                digest,
                size: image.bytes.unwrap_or(0),
                // What kind of thing it is, as far as anyone knows.
                media_type: text(&image.artifact_type).unwrap_or_default(),
            },
            layers: [].into(),
        },
        subject: image.subject.as_deref().and_then(|subject| subject.parse().ok()),
        artifact_type: None,
    };
    let tags: Vec<&str> = image.tags.iter().map(String::as_str).collect();
    let store = world.ecr.repository(region, &reference.store.name, pushed_at);
    store.push(&manifest, &tags, pushed_at);
    let status = match image.state.as_deref() {
        Some("archived") => Status::Archived,
        Some("activating") => Status::Activating,
        _ => Status::Active,
    };
    store.restore(digest, status, [image.pulled_at, image.archived_at, None]);
    Ok(())
}

fn machine(world: &mut World, region: &str, reference: &ImageRef, image: &Image) -> Result<()> {
    let id = named(reference)?;
    let region = world.cvm.region(region);
    let gib = |bytes: u64| bytes >> 30;
    let word = |word: &Option<String>| word.clone().unwrap_or_default().to_uppercase();
    for snapshot in &image.snapshots {
        let usage = snapshot.usage.to_uppercase();
        let gib = gib(snapshot.bytes);
        region.snapshots.insert(snapshot.id.clone(), Snapshot { usage, gib });
    }
    let shared = image.shared_with.iter().flatten();
    let known = Machine {
        name: image.name.clone().unwrap_or_default(),
        description: image.description.clone().unwrap_or_default(),
        kind: word(&image.image_type),
        state: word(&image.state),
        created: time(image.created_at),
        gib: gib(image.bytes.unwrap_or(0)),
        architecture: image.architecture.clone().unwrap_or_default(),
        platform: image.platform.clone().unwrap_or_default(),
        family: image.family.clone(),
        deprecated: image.deprecated == Some(true),
        snapshots: image.snapshots.iter().map(|one| one.id.clone()).collect(),
        shared_with: shared.map(|account| (account.clone(), time(image.created_at))).collect(),
        ..Machine::default()
    };
    region.images.insert(id, known);
    Ok(())
}

fn server(world: &mut World, region: &str, reference: &ImageRef, image: &Image) -> Result<()> {
    let id = named(reference)?;
    if world.workspace.iam.project_id(region).is_none() {
        bail!("the sandbox's account has no project in {region}");
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let kind = text(&image.image_type);
    world.workspace.region(region).servers.push(Server {
        id,
        name: text(&image.name),
        description: text(&image.description),
        status: text(&image.state).to_uppercase(),
        source: (text(&image.source_image), kind),
        image_id: text(&image.product_image),
        server_group_id: text(&image.server_group),
        app_group_id: text(&image.app_group),
        server_id: text(&image.server),
        instance_id: text(&image.instance),
        enterprise_project_id: text(&image.enterprise_project),
        created: time(image.created_at),
        updated: time(image.updated_at.or(image.created_at)),
        changes: Vec::new(),
    });
    Ok(())
}

fn named(reference: &ImageRef) -> Result<String> {
    match &reference.id {
        ImageId::Named(id) => Ok(id.clone()),
        _ => Err(anyhow!("this reference names no image by its id")),
    }
}

fn time(known: Option<DateTime<Utc>>) -> DateTime<Utc> {
    known.unwrap_or(DateTime::UNIX_EPOCH)
}
