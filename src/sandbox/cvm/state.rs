//! What is in the emulated regions: images and their snapshots, and what uses them. States that change by themselves
//! do so at the next call.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One region of the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    pub images: BTreeMap<String, Image>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub instances: Vec<Instance>,
    pub launch_templates: Vec<LaunchTemplate>,
    pub launch_configurations: Vec<LaunchConfiguration>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    pub name: String,
    pub description: String,
    /// `PRIVATE_IMAGE`, `SHARED_IMAGE` (by another account with this one), `PUBLIC_IMAGE`.
    pub kind: String,
    pub state: String,
    /// A change that comes by itself.
    pub change: Option<Change>,
    pub created: DateTime<Utc>,
    pub gib: u64,
    pub architecture: String,
    pub platform: String,
    pub family: Option<String>,
    pub deprecated: bool,
    pub tags: BTreeMap<String, String>,
    /// Ids of snapshots of its region, bound to it.
    pub snapshots: Vec<String>,
    /// The accounts that it is shared with, and since when.
    pub shared_with: BTreeMap<String, DateTime<Utc>>,
    /// Calls that still find another task at work on it.
    pub busy: u32,
}

/// At some time an image gets another state; without one it is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    pub at: DateTime<Utc>,
    pub state: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// `SYSTEM_DISK` or `DATA_DISK`.
    pub usage: String,
    pub gib: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub name: String,
    pub state: String,
    pub zone: String,
    pub image: String,
    pub created: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchTemplate {
    pub id: String,
    pub name: String,
    pub created: DateTime<Utc>,
    /// The image of each version, from version 1 on.
    pub versions: Vec<String>,
    pub default_version: usize,
}

/// Of auto scaling: names an image, or whichever is the newest of a family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchConfiguration {
    pub id: String,
    pub name: String,
    pub created: DateTime<Utc>,
    pub image: Option<String>,
    pub family: Option<String>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            kind: "PRIVATE_IMAGE".into(),
            state: "NORMAL".into(),
            change: None,
            created: DateTime::UNIX_EPOCH,
            gib: 50,
            architecture: "x86_64".into(),
            platform: "TencentOS".into(),
            family: None,
            deprecated: false,
            tags: BTreeMap::new(),
            snapshots: Vec::new(),
            shared_with: BTreeMap::new(),
            busy: 0,
        }
    }
}

impl Image {
    pub fn is_own(&self) -> bool {
        self.kind == "PRIVATE_IMAGE"
    }
}

impl Region {
    /// Adds an image of the account with a snapshot of its system disk.
    pub fn add(&mut self, id: &str, created: DateTime<Utc>) -> &mut Image {
        let image = Image { name: format!("name-of-{id}"), created, ..Image::default() };
        let gib = image.gib;
        self.images.insert(id.to_owned(), image);
        self.bind(id, "SYSTEM_DISK", gib);
        self.images.entry(id.to_owned()).or_default()
    }

    /// Adds an image of another account, without snapshots.
    pub fn add_foreign(&mut self, id: &str, kind: &str, created: DateTime<Utc>) -> &mut Image {
        let image = Image { name: format!("name-of-{id}"), kind: kind.into(), created, ..Image::default() };
        self.images.insert(id.to_owned(), image);
        self.images.entry(id.to_owned()).or_default()
    }

    /// Binds another snapshot to an image and returns its id.
    pub fn bind(&mut self, image: &str, usage: &str, gib: u64) -> String {
        let suffix = image.strip_prefix("img-").unwrap_or(image);
        let id = format!("snap-{suffix}{}", self.snapshots.len());
        let usage = usage.to_owned();
        self.snapshots.insert(id.clone(), Snapshot { usage, gib });
        let image = self.images.entry(image.to_owned()).or_default();
        image.snapshots.push(id.clone());
        id
    }

    /// Applies every change that is due.
    pub(super) fn settle(&mut self, now: DateTime<Utc>) {
        self.images.retain(|_, image| match &image.change {
            Some(change) if change.at <= now => match image.change.take().and_then(|change| change.state) {
                Some(state) => {
                    image.state = state;
                    true
                }
                None => false,
            },
            _ => true,
        });
    }

    /// Deletes an image: at once, or after some time in `DELETING`.
    pub(super) fn remove(&mut self, id: &str, with_snapshots: bool, gone: DateTime<Utc>) {
        let Some(image) = self.images.get_mut(id) else {
            return;
        };
        image.state = "DELETING".into();
        image.change = Some(Change { at: gone, state: None });
        let bound = std::mem::take(&mut image.snapshots);
        let others = |snapshot: &String| self.images.values().any(|image| image.snapshots.contains(snapshot));
        // What users saw: the snapshots of data disks stay. https://github.com/cloud-barista/cb-spider/pull/872
        let system = |snapshot: &String| self.snapshots.get(snapshot).is_some_and(|it| it.usage == "SYSTEM_DISK");
        let going: Vec<_> =
            bound.into_iter().filter(|snapshot| with_snapshots && system(snapshot) && !others(snapshot)).collect();
        for snapshot in going {
            self.snapshots.remove(&snapshot);
        }
    }
}
