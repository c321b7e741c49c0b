//! Records which images are in use, and why. The sources are text (`in_use`), users such as instances and launch
//! templates, and the images' own descriptions.

use std::{cmp::Ordering, collections::HashMap};

use super::{Stock, inventory::identity, keep::date};
use crate::{image::StoreRef, store::Image};

/// Images and families in use, each with the reason.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    ids: HashMap<String, Vec<Use>>,
    families: HashMap<String, Vec<Use>>,
}

#[derive(Clone, Debug)]
struct Use {
    store: StoreRef,
    why: String,
}

impl Evidence {
    /// Records that an image of a store is in use. The plan shows the reason verbatim: `in use, instance ins-1`.
    pub fn id_in(&mut self, store: &StoreRef, id: &str, why: impl Into<String>) {
        add(&mut self.ids, id, store, why);
    }

    /// Records that every image of a family is in use: any of them may be started at any time.
    pub fn family_in(&mut self, store: &StoreRef, family: &str, why: impl Into<String>) {
        add(&mut self.families, family, store, why);
    }

    /// Records the newest usable image of each family as in use, because a launch by family takes that one. The newest
    /// of all counts too, in case none is usable. Images of the same age all count.
    pub fn newest_of_families(&mut self, stock: &Stock) {
        let mut newest: HashMap<&str, [Vec<&Image>; 2]> = HashMap::new();
        for image in stock.images() {
            let Some(family) = image.family.as_deref().filter(|family| !family.is_empty()) else {
                continue;
            };
            let known = newest.entry(family).or_default();
            for (known, fits) in known.iter_mut().zip([true, image.usable]) {
                if !fits {
                    continue;
                }
                let older = known.first().map(|known| date(known).cmp(&date(image)));
                match older {
                    None | Some(Ordering::Less) => *known = vec![image],
                    Some(Ordering::Equal) => known.push(image),
                    Some(Ordering::Greater) => {}
                }
            }
        }
        for (family, images) in newest {
            for image in images.into_iter().flatten() {
                if let Some(id) = identity(image) {
                    self.id_in(&stock.store, id, format!("the newest of family {family}"));
                }
            }
        }
    }

    /// Records images that are shared with other accounts as in use.
    pub fn shared_out(&mut self, stock: &Stock) {
        for image in stock.images() {
            let accounts = image.shared_with.as_deref().unwrap_or_default();
            if let (Some(id), false) = (identity(image), accounts.is_empty()) {
                self.id_in(&stock.store, id, format!("shared with account {}", accounts.join(", ")));
            }
        }
    }

    /// Records image servers that a server group or an application group depends on as in use.
    pub fn grouped(&mut self, stock: &Stock) {
        for image in stock.images() {
            let groups = [("server group", &image.server_group), ("application group", &image.app_group)];
            for (kind, group) in groups {
                let group = group.as_deref().filter(|group| !group.is_empty());
                if let (Some(id), Some(group)) = (identity(image), group) {
                    self.id_in(&stock.store, id, format!("{kind} {group} depends on it"));
                }
            }
        }
    }

    /// Why an image is in use; `None` if nothing says that it is.
    pub fn of(&self, store: &StoreRef, image: &Image) -> Option<&str> {
        let by_id = identity(image).and_then(|id| find(&self.ids, id, store));
        by_id.or_else(|| find(&self.families, image.family.as_deref()?, store))
    }
}

/// Keeps the first reason for each image and store.
fn add(to: &mut HashMap<String, Vec<Use>>, key: &str, store: &StoreRef, why: impl Into<String>) {
    let uses = to.entry(key.to_owned()).or_default();
    if !uses.iter().any(|known| known.store == *store) {
        uses.push(Use { store: store.clone(), why: why.into() });
    }
}

fn find<'e>(uses: &'e HashMap<String, Vec<Use>>, key: &str, store: &StoreRef) -> Option<&'e str> {
    let here = |entry: &&Use| entry.store == *store;
    uses.get(key)?.iter().find(here).map(|entry| entry.why.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        image::Provider,
        prune::sample::{machine, store},
    };

    fn kept(stock: &Stock, evidence: &Evidence) -> Vec<String> {
        let used = stock.images().iter().filter(|image| evidence.of(&stock.store, image).is_some());
        used.map(|image| identity(image).unwrap().to_owned()).collect()
    }

    #[test]
    fn the_newest_usable_image_of_a_family_is_in_use_and_the_newest_of_all_too() {
        let old = |image: Image| Image { usable: false, ..image };
        let images = [
            machine("img-1", "a", Some("web"), 9),
            machine("img-2", "b", Some("web"), 5),
            old(machine("img-3", "c", Some("web"), 3)),
            old(machine("img-4", "d", Some("web"), 4)),
            machine("img-5", "e", None, 4),
        ];
        let stock = Stock::new(store(Provider::Cvm, ""), images);
        let mut evidence = Evidence::default();
        evidence.newest_of_families(&stock);
        assert_eq!(kept(&stock, &evidence), ["img-2", "img-3"]);
    }

    #[test]
    fn equally_new_images_of_a_family_are_all_in_use() {
        let images = ["img-1", "img-2", "img-3"].map(|id| {
            let days = if id == "img-1" { 9 } else { 5 };
            machine(id, id, Some("web"), days)
        });
        let stock = Stock::new(store(Provider::Cvm, ""), images);
        let mut evidence = Evidence::default();
        evidence.newest_of_families(&stock);
        assert_eq!(kept(&stock, &evidence), ["img-2", "img-3"]);
    }

    #[test]
    fn naming_a_family_uses_all_of_it_in_that_region_only() {
        let here = Stock::new(store(Provider::Cvm, ""), [machine("img-1", "a", Some("web"), 9)]);
        let mut evidence = Evidence::default();
        evidence.family_in(&here.store, "web", "in use, launch configuration asc-1 names its family");
        assert_eq!(kept(&here, &evidence), ["img-1"]);
        let mut there = here.clone();
        Arc::make_mut(&mut there.store).region = Some("elsewhere".into());
        assert_eq!(kept(&there, &evidence), [""; 0]);
    }

    #[test]
    fn shared_images_and_image_servers_with_groups_are_in_use() {
        let mut shared = machine("img-1", "a", None, 9);
        shared.shared_with = Some(vec!["100".into()]);
        let mut alone = machine("img-2", "b", None, 9);
        (alone.shared_with, alone.server_group) = (Some(vec![]), Some(String::new()));
        let mut group = machine("img-3", "c", None, 9);
        group.app_group = Some("g-1".into());
        let stock = Stock::new(store(Provider::Workspace, ""), [shared, alone, group]);
        let mut evidence = Evidence::default();
        evidence.shared_out(&stock);
        evidence.grouped(&stock);
        assert_eq!(kept(&stock, &evidence), ["img-1", "img-3"]);
    }
}
