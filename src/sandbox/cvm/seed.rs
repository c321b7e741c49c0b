//! A world to experiment in: images of several teams in several regions, some in use, some shared, some broken. The
//! same seed and time give the same world.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Cvm,
    state::{Change, Instance, LaunchConfiguration, LaunchTemplate, Region},
};
use crate::sandbox::dice::Dice;

const REGIONS: [&str; 3] = [super::REGION, "ap-singapore", "eu-frankfurt"];
const FAMILIES: [&str; 5] = ["web", "batch", "database", "runner", "gateway"];
const PUBLIC: [(&str, &str); 2] = [("img-eb30mz89", "TencentOS"), ("img-487zeit5", "Ubuntu")];

impl Cvm {
    /// `images` of the account's own, spread over three regions, with what goes with them.
    pub fn seeded(seed: u64, images: usize, now: DateTime<Utc>) -> Self {
        let mut dice = Dice::new(seed);
        let mut cvm = Self::default();
        for number in 0..images {
            // Half of everything is in the first region.
            let region = [0, 0, 1, 2][number % 4];
            own_image(cvm.region(REGIONS[region]), &mut dice, number, now);
        }
        for name in REGIONS {
            let region = cvm.region(name);
            for (id, platform) in PUBLIC {
                let created = now - TimeDelta::days(500);
                let image = region.add_foreign(id, "PUBLIC_IMAGE", created);
                image.name = format!("{platform} Server 64bit");
                image.platform = platform.into();
            }
            let created = now - TimeDelta::days(40);
            let shared = region.add_foreign(&new_id(&mut dice), "SHARED_IMAGE", created);
            shared.name = "golden-base".into();
            put_to_use(region, &mut dice, name, now);
        }
        cvm
    }
}

fn own_image(region: &mut Region, dice: &mut Dice, number: usize, now: DateTime<Utc>) {
    let mut id = new_id(dice);
    while region.images.contains_key(&id) {
        id = new_id(dice);
    }
    let family = FAMILIES[below(dice, FAMILIES.len())];
    let minutes = i64::try_from(below(dice, 400 * 24 * 60)).unwrap_or_default();
    let created = now - TimeDelta::minutes(minutes);
    let image = region.add(&id, created);
    image.name = format!("{family}-{}-{number}", created.format("%Y%m%d"));
    image.description = format!("nightly build of {family}");
    image.family = Some(family.into());
    image.deprecated = created < now - TimeDelta::days(200) && dice.chance(50);
    image.tags.insert("team".into(), family.into());
    match below(dice, 40) {
        0 => image.state = "CREATEFAILED".into(),
        1 => {
            image.state = "SYNCING".into();
            image.change = Some(becomes_normal(now + TimeDelta::minutes(30)));
        }
        2 => {
            image.state = "CREATING".into();
            image.created = now - TimeDelta::minutes(2);
            image.change = Some(becomes_normal(now + TimeDelta::minutes(5)));
        }
        3 => {
            image.shared_with.insert(super::images::OTHER_ACCOUNT.into(), created);
        }
        _ => {}
    }
    if family == "database" {
        region.bind(&id, "DATA_DISK", 200);
    }
}

fn becomes_normal(at: DateTime<Utc>) -> Change {
    Change { at, state: Some("NORMAL".into()) }
}

/// Some images run, some are named by templates, and auto scaling takes the newest of a family.
fn put_to_use(region: &mut Region, dice: &mut Dice, name: &str, now: DateTime<Utc>) {
    let normal: Vec<_> = region
        .images
        .iter()
        .filter(|(_, image)| image.is_own() && image.state == "NORMAL")
        .map(|(id, _)| id.clone())
        .collect();
    let mut used = normal.into_iter().filter(|_| dice.chance(12)).peekable();
    if let Some(image) = used.peek().cloned() {
        region.launch_templates.push(LaunchTemplate {
            id: format!("lt-{}", &image[4..]),
            name: "service".into(),
            created: now - TimeDelta::days(100),
            versions: vec![image.clone(), image],
            default_version: 2,
        });
    }
    let instances = used.enumerate().map(|(number, image)| Instance {
        id: format!("ins-{}", &image[4..]),
        name: format!("vm-{number}"),
        state: if number % 3 == 2 { "STOPPED" } else { "RUNNING" }.into(),
        zone: format!("{name}-3"),
        image,
        created: now - TimeDelta::days(30),
    });
    region.instances = instances.collect();
    region.launch_configurations.push(LaunchConfiguration {
        id: "asc-web00001".into(),
        name: "web".into(),
        created: now - TimeDelta::days(60),
        image: None,
        family: Some("web".into()),
    });
}

/// An id as the service makes them: eight letters and digits.
fn new_id(dice: &mut Dice) -> String {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let letters = (0..8).map(|_| char::from(LETTERS[below(dice, LETTERS.len())]));
    format!("img-{}", letters.collect::<String>())
}

fn below(dice: &mut Dice, end: usize) -> usize {
    usize::try_from(dice.below(end.max(1) as u64)).unwrap_or_default()
}
