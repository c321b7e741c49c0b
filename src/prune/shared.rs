//! Things that a deletion takes along, such as the server group of an image server, and that images which stay also use.

use std::{collections::HashMap, sync::Arc};

use super::graph::called;
use crate::store::{Image, LeftBehind};

/// The images whose deletion takes something from an image that stays, each with the reason to keep it.
pub fn taken_from_kept(images: &[Arc<Image>], goes: impl Fn(usize) -> bool) -> Vec<(usize, String)> {
    fn key(thing: &LeftBehind) -> (&str, &str) {
        (&thing.kind, &thing.id)
    }
    let mut used: HashMap<(&str, &str), &Image> = HashMap::new();
    for (place, image) in images.iter().enumerate() {
        if !goes(place) {
            used.extend(image.takes_along.iter().map(|thing| (key(thing), &**image)));
        }
    }
    let going = images.iter().enumerate().filter(|(place, _)| goes(*place));
    let taken = going.filter_map(|(place, image)| {
        let (thing, user) = image.takes_along.iter().find_map(|thing| Some((thing, *used.get(&key(thing))?)))?;
        let kind = thing.kind.replace('_', " ");
        Some((place, format!("--recursive would delete {kind} {}, which {} also uses", thing.id, called(user))))
    });
    taken.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        image::Provider,
        prune::{
            Evidence, GuardArgs, Saved, Stock, recheck,
            sample::{machine, planned, store},
        },
    };

    /// An image server of a group.
    fn server(id: &str, group: &str, days: i64) -> Image {
        let group = LeftBehind { kind: "server_group".into(), id: group.into(), bytes: None };
        Image { takes_along: vec![group], ..machine(id, id, None, days) }
    }

    fn servers(servers: &[(&str, &str, i64)]) -> Stock {
        let images = servers.iter().map(|(id, group, days)| server(id, group, *days));
        Stock::new(store(Provider::Workspace, ""), images)
    }

    #[test]
    fn a_server_stays_if_a_kept_one_uses_its_group() {
        let stock = servers(&[("old", "a", 90), ("young", "a", 1), ("older", "b", 99), ("oldest", "b", 100)]);
        let plan = planned(&[stock], &["--older-than", "30d"], &Evidence::default());
        let rows = &plan.stores[0].rows;
        let said = |place: usize| rows.iter().find(|row| row.image == place).unwrap();
        assert_eq!(said(0).reason.words, "--recursive would delete server group a, which young (young) also uses");
        let deleted: Vec<usize> = rows.iter().filter(|row| row.needed_by.is_empty()).map(|row| row.image).collect();
        assert!(deleted.contains(&2) && deleted.contains(&3), "{rows:?}");
        assert_eq!(plan.stores[0].totals.deleted, 2);
    }

    #[test]
    fn a_server_that_joined_the_group_since_the_plan_refuses_it() {
        let then = servers(&[("old", "a", 90), ("other", "b", 90)]);
        let saved = |place: usize| {
            let image = &then.images()[place];
            let id = image.name.clone().unwrap();
            Saved { id, was: (&**image).into(), attached: 0, read_at: None }
        };
        let now = servers(&[("old", "a", 90), ("other", "b", 90), ("new", "a", 0)]);
        let guards = GuardArgs::default().compile().unwrap();
        let verdicts = recheck(&[saved(0), saved(1)], &now, &Evidence::default(), &guards);
        assert!(verdicts[0].is_err() && verdicts[1].is_ok(), "{verdicts:?}");
    }
}
