//! The clouds of one sandbox with all that is in them: made from a seed, or kept in a file.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Service,
    cvm::Cvm,
    ecr::Ecr,
    ecs::Ecs,
    events::Events,
    inspector::Inspector,
    inventory::Inventory,
    lambda::Lambda,
    oci::{Habits, Oci},
    running,
    scheduler::Scheduler,
    workspace::Workspace,
};

/// What a world's file says it is.
const SCHEMA: &str = "imgctl-sandbox/v1";

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct World {
    pub ecr: Ecr,
    pub cvm: Cvm,
    pub workspace: Workspace,
    pub ecs: Ecs,
    pub events: Events,
    pub scheduler: Scheduler,
    pub lambda: Lambda,
    pub inspector: Inspector,
    pub oci: Oci,
    /// Made from a listing, which holds no manifests.
    #[serde(skip)]
    pub listed: bool,
    /// Services that a test adds, each with its name in faults and calls.
    #[serde(skip)]
    pub others: Vec<(&'static str, Box<dyn Service>)>,
}

/// What a file says that it is.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

#[derive(Serialize, Deserialize)]
struct Saved<W> {
    schema: String,
    world: W,
}

impl World {
    /// A realistic world with so many container images, and fewer machine images and servers.
    pub fn seeded(seed: u64, images: usize, now: DateTime<Utc>) -> Self {
        Self::seeded_with(seed, images, Habits::default(), now)
    }

    /// The same with another registry than the plain one.
    pub fn seeded_with(seed: u64, images: usize, registry: Habits, now: DateTime<Utc>) -> Self {
        let machines = (images / 5).clamp(12, 500);
        let mut world = Self {
            ecr: Ecr::seeded(seed, images, now),
            cvm: Cvm::seeded(seed, machines, now),
            workspace: Workspace::seeded(seed, machines, now),
            oci: Oci::seeded(seed, machines, registry, now),
            ..Self::default()
        };
        running::fill(&mut world, now);
        world
    }

    /// Every service with its name in faults and calls, in the order in which requests are offered to them.
    pub fn services(&mut self) -> impl Iterator<Item = (&'static str, &mut dyn Service)> {
        let own: [(&'static str, &mut dyn Service); 9] = [
            ("ecr", &mut self.ecr),
            ("cvm", &mut self.cvm),
            ("workspace", &mut self.workspace),
            ("ecs", &mut self.ecs),
            ("events", &mut self.events),
            ("scheduler", &mut self.scheduler),
            ("lambda", &mut self.lambda),
            ("inspector", &mut self.inspector),
            ("oci", &mut self.oci),
        ];
        let others = self.others.iter_mut().map(|(name, service)| (*name, service.as_mut() as &mut dyn Service));
        own.into_iter().chain(others)
    }

    /// Reads a world that [`World::save`] wrote, or what imgctl printed with `-o json`.
    pub fn load(file: &Path) -> Result<Self> {
        let read = || -> Result<Self> {
            let text = fs::read(file)?;
            let Head { schema } = serde_json::from_slice(&text)?;
            match schema.as_str() {
                SCHEMA => Ok(serde_json::from_slice::<Saved<Self>>(&text)?.world),
                "imgctl/v1" => serde_json::from_slice::<Inventory>(&text)?.into_world(),
                other => bail!("it is a \"{other}\", neither a \"{SCHEMA}\" nor what imgctl prints with -o json"),
            }
        };
        read().with_context(|| format!("cannot load the world in {}", file.display()))
    }

    /// Writes the contents of the clouds to a file, without faults and hooks.
    pub fn save(&self, file: &Path) -> Result<()> {
        let write = || -> Result<()> {
            ensure!(!self.listed, "it was loaded from a listing, which holds no manifests");
            let mut writer = BufWriter::new(File::create(file)?);
            serde_json::to_writer(&mut writer, &Saved { schema: SCHEMA.into(), world: self })?;
            Ok(writer.flush()?)
        };
        write().with_context(|| format!("cannot save the world to {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::ecr::{
        REGION,
        digest::Digest,
        manifest::Manifest,
        repository::{Content, Mutability},
    };

    #[test]
    fn a_world_comes_out_of_its_file_as_it_went_in() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut world = World::seeded(1, 300, now);
        let repository = world.ecr.repository(REGION, "team/app", now);
        repository.mutability = Mutability::ImmutableWithExclusion;
        repository.exclusions = vec!["nightly*".into()];
        let image = Manifest::image("deleted", 2);
        repository.push(&image, &[], now);
        repository.remove(&image.digest);

        let pushed = Digest::of("pushed");
        let content = Content::Pushed("pushed".into());
        world.oci.repository("own", now).fill_layer(pushed, 6, content);

        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        world.save(&first).unwrap();
        let mut loaded = World::load(&first).unwrap();
        loaded.save(&second).unwrap();
        let [saved, again] = [first, second].map(|file| std::fs::read_to_string(file).unwrap());
        assert!(saved == again, "saved, loaded and saved again is the same");
        assert_eq!(loaded.ecr.snapshot(), world.ecr.snapshot());
        assert_eq!(loaded.oci.snapshot(), world.oci.snapshot());
        assert_eq!(loaded.oci.repository("own", now).layer(&pushed).unwrap().bytes().unwrap(), b"pushed");
        let made = loaded.oci.repository("tools/jib", now).layers().find(|layer| layer.size < 4096).unwrap();
        assert_eq!(made.bytes().map(|bytes| bytes.len() as u64), Some(made.size));
        let loaded = loaded.ecr.repository(REGION, "team/app", now);
        assert!(loaded.layer(&image.blobs().next().unwrap().digest).is_some());
        assert_eq!(loaded.exclusions, ["nightly*"]);
    }

    #[test]
    fn a_file_that_is_not_a_world_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("world");
        let image =
            r#"{"manifest":"{}","media_type":"","tags":[],"pushed_at":"2026-01-01T00:00:00Z","status":"ACTIVE"}"#;
        let repository =
            format!(r#"{{"created_at":"2026-01-01T00:00:00Z","mutability":"MUTABLE","images":[{image}]}}"#);
        let world = format!(
            r#"{{"schema":"{SCHEMA}","world":{{"ecr":{{"account":"1","regions":{{"eu-west-1":{{"team/app":{repository}}}}}}}}}}}"#
        );
        for (text, why) in [
            ("", "EOF"),
            (r#"{"schema":"imgctl/v2","world":{}}"#, "it is a \"imgctl/v2\""),
            (r#"{"schema":"imgctl/v1","world":{}}"#, "missing field `items`"),
            (r#"{"schema":"imgctl/v1","items":[{"ref":"ecr:app:v1"}]}"#, "names no region"),
            (world.as_str(), "repository team/app"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = format!("{:#}", World::load(&file).err().expect(text));
            assert!(error.contains(why), "{error}");
        }
        assert!(World::load(&folder.path().join("absent")).is_err());
    }
}
