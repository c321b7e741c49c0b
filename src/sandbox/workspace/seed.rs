//! A world to experiment in: image servers of several teams in two regions, most of them built, some still busy, some
//! broken. The same seed and time give the same world.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Change, Failing, Server, Workspace};
use crate::sandbox::{dice::Dice, iam::REGION};

const REGIONS: [&str; 2] = [REGION, "ap-southeast-1"];
const TEAMS: [&str; 4] = ["design", "finance", "training", "support"];
const SYSTEMS: [&str; 3] = ["win2019", "win2022", "ubuntu2204"];

impl Workspace {
    /// `images` image servers, three of four of them in the first region.
    pub fn seeded(seed: u64, images: usize, now: DateTime<Utc>) -> Self {
        let mut dice = Dice::new(seed);
        let mut workspace = Self::default();
        for number in 0..images {
            let region = REGIONS[usize::from(number % 4 == 3)];
            add(&mut workspace, region, number, &mut dice, now);
        }
        workspace
    }
}

fn add(workspace: &mut Workspace, region: &str, number: usize, dice: &mut Dice, now: DateTime<Utc>) {
    // Ids as in the documents: eighteen digits.
    let id = format!("6976{:09}{number:05}", dice.below(1_000_000_000));
    let days = i64::try_from(dice.below(400)).unwrap_or_default();
    let minutes = i64::try_from(dice.below(24 * 60)).unwrap_or_default();
    let (team, system) = (*dice.pick(&TEAMS), *dice.pick(&SYSTEMS));
    let (fate, hours) = (dice.below(24), dice.below(5));
    let created = match fate {
        0 => now - TimeDelta::minutes(2),
        _ => now - TimeDelta::days(days) - TimeDelta::minutes(minutes),
    };
    let project = workspace.region(region);
    if fate == 4 {
        let failing = Failing::new("FAILED", "WKS.00211401", "The server group has changed.");
        project.failing.insert(id.clone(), failing);
    }
    let server = project.add(&id, created);
    server.name = format!("{team}-{system}-{}", created.format("%Y%m%d"));
    server.description = format!("image of {team}");
    server.enterprise_project_id = if team == "finance" { "finance" } else { "0" }.into();
    let soon = |minutes| now + TimeDelta::minutes(minutes);
    match fate {
        0 => become_later(server, "CREATING", "ACTIVE", soon(10)),
        1 => become_later(server, "BUILDING", "BUILT", soon(25)),
        2 => server.status = "ERROR".into(),
        3 => server.status = "ACTIVE".into(),
        _ => server.updated = created + TimeDelta::hours(1 + i64::try_from(hours).unwrap_or_default()),
    }
    if server.status != "BUILT" {
        let unbuilt = std::mem::take(&mut server.image_id);
        project.resources.remove(&unbuilt);
    }
}

fn become_later(server: &mut Server, now: &str, then: &str, at: DateTime<Utc>) {
    server.status = now.into();
    server.changes.push(Change { at, status: then.into() });
}
