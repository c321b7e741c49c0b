//! Small inventories for tests: images are numbered, days count back from [`now`].

use std::{collections::BTreeMap, sync::Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::plan::Explained;
use super::{
    Action, Clauses, Elsewhere, Evidence, GuardArgs, Guards, Plan, Reading, Selection, Selectors, Stock, decide,
};
use crate::{
    image::{ImageId, Provider, StoreRef},
    store::Image,
};

pub const SINGLE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub fn now() -> DateTime<Utc> {
    "2025-06-01T12:00:00Z".parse().unwrap()
}

pub fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

/// The tag that cosign gives to a referrer of an image.
pub fn cosign(number: usize, suffix: &str) -> String {
    format!("sha256-{number:064x}{suffix}")
}

pub fn store(provider: Provider, name: &str) -> StoreRef {
    StoreRef {
        provider,
        owner: Some("123456789012".into()),
        region: Some("eu-west-1".into()),
        name: name.into(),
        host: None,
    }
}

pub fn repository(name: &str) -> StoreRef {
    store(Provider::Ecr, name)
}

/// Builds a repository.
pub struct Shelf {
    name: &'static str,
    images: Vec<Image>,
    readings: Vec<(String, Reading)>,
}

impl Shelf {
    pub fn new() -> Self {
        Self::named("app")
    }

    pub fn named(name: &'static str) -> Self {
        Self { name, images: Vec::new(), readings: Vec::new() }
    }

    pub fn image(self, number: usize, tags: &[&str], days: i64) -> Self {
        self.with(number, tags, days, |_| {})
    }

    pub fn with(mut self, number: usize, tags: &[&str], days: i64, change: impl FnOnce(&mut Image)) -> Self {
        let mut image = Image {
            id: digest(number).parse().ok().map(ImageId::Digest),
            digest: Some(digest(number)),
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            bytes: Some(100),
            pushed_at: Some(now() - TimeDelta::days(days)),
            media_type: Some(SINGLE.into()),
            ..Image::default()
        };
        change(&mut image);
        self.images.push(image);
        self
    }

    pub fn index(mut self, number: usize, tags: &[&str], days: i64, children: &[usize]) -> Self {
        let children = children.iter().map(|child| digest(*child).parse().unwrap()).collect();
        self.readings.push((digest(number), Reading::Manifest { children, nameless: Vec::new(), subject: None }));
        self.with(number, tags, days, |image| image.media_type = Some(INDEX.into()))
    }

    pub fn unreadable(mut self, number: usize, tags: &[&str], days: i64) -> Self {
        self.readings.push((digest(number), Reading::Unreadable("it is garbled".into())));
        self.with(number, tags, days, |image| image.media_type = Some(INDEX.into()))
    }

    /// A manifest that was read, and names a subject that its listing left out.
    pub fn read_referrer(mut self, number: usize, tags: &[&str], days: i64, subject: usize) -> Self {
        let subject = digest(subject).parse().ok();
        self.readings.push((digest(number), Reading::Manifest { children: Vec::new(), nameless: Vec::new(), subject }));
        self.image(number, tags, days)
    }

    /// Changes an image that was added before.
    pub fn changed(mut self, number: usize, change: impl FnOnce(&mut Image)) -> Self {
        let mut images = self.images.iter_mut();
        change(images.find(|image| image.digest == Some(digest(number))).unwrap());
        self
    }

    pub fn referrer(self, number: usize, days: i64, subject: usize) -> Self {
        self.with(number, &[], days, |image| image.subject = Some(digest(subject)))
    }

    pub fn stock(self) -> Stock {
        let mut stock = Stock::new(repository(self.name), self.images);
        for (digest, reading) in self.readings {
            stock.read(&digest, reading);
        }
        stock
    }

    /// The plan of `prune` with these flags.
    pub fn prune(self, flags: &[&str]) -> Told {
        self.prune_but(flags, &Evidence::default())
    }

    pub fn prune_but(self, flags: &[&str], evidence: &Evidence) -> Told {
        let stock = self.stock();
        let plan = planned(std::slice::from_ref(&stock), flags, evidence);
        Told { stock, plan }
    }
}

/// A machine image.
pub fn machine(id: &str, name: &str, family: Option<&str>, days: i64) -> Image {
    Image {
        id: Some(ImageId::Named(id.into())),
        name: Some(name.into()),
        family: family.map(Into::into),
        usable: true,
        created_at: Some(now() - TimeDelta::days(days)),
        ..Image::default()
    }
}

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    guards: GuardArgs,
}

/// Decides with flags as on the command line.
pub fn planned(stocks: &[Stock], flags: &[&str], evidence: &Evidence) -> Plan {
    let (selection, guards) = compiled(flags);
    let clauses = Clauses::from(selection);
    Elsewhere::of(stocks).settle(|elsewhere| decide(stocks, elsewhere, &clauses, evidence, &guards))
}

/// Compiles flags as on the command line.
pub fn compiled(flags: &[&str]) -> (Selection, Guards) {
    // Compiling globs takes most of the time of a random test.
    static COMPILED: Mutex<BTreeMap<String, (Selection, Guards)>> = Mutex::new(BTreeMap::new());
    let compile = || {
        let flags = <Flags as clap::Parser>::try_parse_from([&["prune"], flags].concat()).unwrap();
        (flags.selectors.compile(now()).unwrap(), flags.guards.compile().unwrap())
    };
    COMPILED.lock().unwrap().entry(flags.join(" ")).or_insert_with(compile).clone()
}

/// A plan with its stock.
pub struct Told {
    pub stock: Stock,
    pub plan: Plan,
}

impl Told {
    /// The numbers of the deleted images.
    pub fn deleted(&self) -> Vec<usize> {
        let rows = self.plan.stores[0].rows.iter().filter(|row| row.action() == Action::Delete);
        let number = |image: &Image| {
            let digest = image.digest.as_deref().unwrap();
            usize::from_str_radix(&digest["sha256:".len()..], 16).unwrap()
        };
        let mut goes: Vec<_> = rows.map(|row| number(&self.stock.images()[row.image])).collect();
        goes.sort();
        goes
    }

    pub fn reason(&self, number: usize) -> String {
        let mut rows = self.plan.stores[0].rows.iter();
        let row = rows.find(|row| self.stock.images()[row.image].digest == Some(digest(number)));
        Explained::from(row.unwrap().reason.clone()).reason
    }
}
