//! Images that are attached to images of other stores of the run, such as signatures in a repository of their own. They
//! go if those go.

use std::collections::HashSet;

use super::{Action, Plan, Stock, inventory::identity};

/// What a store's plan must know of the other stores of the run.
pub struct Elsewhere<'s> {
    stocks: &'s [Stock],
    has: HashSet<&'s str>,
    /// Images that go wherever they are.
    goes: HashSet<String>,
    /// Images that once seemed to go and then did not.
    stays: HashSet<String>,
    /// No store of the run is missing.
    whole: bool,
}

impl<'s> Elsewhere<'s> {
    /// Of all stores of a run, before anything is decided.
    pub fn of(stocks: &'s [Stock]) -> Self {
        let images = stocks.iter().flat_map(|stock| stock.images());
        let has = images.filter_map(|image| identity(image)).collect();
        Self { stocks, has, goes: HashSet::new(), stays: HashSet::new(), whole: true }
    }

    /// Tells whether every store of the run could be read. A store that could not be read may keep an image that goes
    /// elsewhere, so then nothing follows images of other stores.
    pub fn whole(self, whole: bool) -> Self {
        Self { whole, ..self }
    }

    /// Some store of the run has this image.
    pub fn has(&self, id: &str) -> bool {
        self.has.contains(id)
    }

    /// It is deleted in every store that has it.
    pub fn goes(&self, id: &str) -> bool {
        self.goes.contains(id)
    }

    /// Decides for the whole run, and again as long as more images go that others are attached to.
    pub fn settle(mut self, decide: impl Fn(&Self) -> Plan) -> Plan {
        loop {
            let plan = decide(&self);
            let goes = self.subjects_that_go(&plan);
            let returned: Vec<String> = self.goes.difference(&goes).cloned().collect();
            self.stays.extend(returned);
            let goes: HashSet<String> = goes.into_iter().filter(|id| !self.stays.contains(id)).collect();
            if !self.whole || goes == self.goes {
                return plan;
            }
            self.goes = goes;
        }
    }

    /// Of the images that have something attached to them in another store: those that the plan deletes everywhere.
    fn subjects_that_go(&self, plan: &Plan) -> HashSet<String> {
        let rows = || plan.stores.iter().flat_map(|store| &store.rows);
        let mut goes: HashSet<String> = rows().flat_map(|row| &row.elsewhere).cloned().collect();
        if !goes.is_empty() {
            for (store, stock) in plan.stores.iter().zip(self.stocks) {
                for row in store.rows.iter().filter(|row| row.action() == Action::Keep) {
                    identity(&stock.images()[row.image]).map(|id| goes.remove(id));
                }
            }
        }
        goes
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        image::Provider,
        prune::{
            Evidence, Plan, Rule, Stock,
            sample::{Shelf, cosign, digest, planned, store},
        },
    };

    /// The numbers of the images that go, by store.
    fn goes(stocks: &[Stock], plan: &Plan) -> Vec<Vec<usize>> {
        let number = |image: &crate::store::Image| {
            usize::from_str_radix(&image.digest.as_deref().unwrap()["sha256:".len()..], 16).unwrap()
        };
        let of = plan.stores.iter().zip(stocks).map(|(of, stock)| {
            let rows = of.rows.iter().filter(|row| row.reason.rule.action() == super::Action::Delete);
            rows.map(|row| number(&stock.images()[row.image])).collect()
        });
        of.collect()
    }

    fn plan(stocks: &[Stock], flags: &[&str]) -> Plan {
        planned(stocks, flags, &Evidence::default())
    }

    fn images() -> Shelf {
        Shelf::named("app").image(1, &["v1"], 90).image(2, &["v2"], 90).image(3, &["v3"], 1)
    }

    fn signatures() -> Shelf {
        let sign = |shelf: Shelf, number: usize, of: usize| shelf.image(number, &[&cosign(of, ".sig")], 1);
        sign(sign(sign(Shelf::named("signatures"), 11, 1), 12, 2), 13, 3)
    }

    #[test]
    fn signatures_in_a_repository_of_their_own_go_with_their_images() {
        let stocks = [images().stock(), signatures().stock()];
        let plan = plan(&stocks, &["--older-than", "30d"]);
        assert_eq!(goes(&stocks, &plan), [vec![1, 2], vec![11, 12]]);
        let row = &plan.stores[1].rows[0];
        assert_eq!(row.reason.rule, Rule::Follows);
        assert_eq!(row.reason.words, format!("attached to {} in another store, which is deleted", &digest(1)[..19]));
        assert_eq!(row.elsewhere, [digest(1)]);
        let kept = &plan.stores[1].rows[2];
        assert_eq!(kept.reason.words, format!("attached to {}, which is in another store", &digest(3)[..19]));
    }

    #[test]
    fn a_signature_stays_as_long_as_any_store_keeps_the_image() {
        let copy = Shelf::named("copy").image(1, &["v1"], 1).stock();
        let stocks = [images().stock(), copy, signatures().stock()];
        assert_eq!(goes(&stocks, &plan(&stocks, &["--older-than", "30d"])), [vec![1, 2], vec![], vec![12]]);
    }

    #[test]
    fn what_is_attached_to_a_signature_follows_it_and_so_does_a_signature_of_it_in_a_third_store() {
        let third = Shelf::named("third").image(21, &[&cosign(11, ".sig")], 1).stock();
        let stocks = [third, signatures().referrer(14, 1, 11).stock(), images().stock()];
        let plan = plan(&stocks, &["--older-than", "30d"]);
        assert_eq!(goes(&stocks, &plan), [vec![21], vec![11, 12, 14], vec![1, 2]]);
    }

    #[test]
    fn protected_and_used_signatures_stay() {
        let mut evidence = Evidence::default();
        let home = store(Provider::Ecr, "signatures");
        evidence.id_in(&home, &digest(12), "in use");
        let stocks = [images().stock(), signatures().stock()];
        let plan = planned(&stocks, &["--older-than", "30d", "--protect", &cosign(1, "*")], &evidence);
        assert_eq!(goes(&stocks, &plan), [vec![1, 2], vec![]]);
    }

    #[test]
    fn signatures_that_name_each_other_across_stores_stay() {
        let one = Shelf::named("one").image(1, &[&cosign(2, ".sig")], 90).stock();
        let two = Shelf::named("two").image(2, &[&cosign(1, ".sig")], 90).stock();
        let stocks = [one, two];
        assert_eq!(goes(&stocks, &plan(&stocks, &["--older-than", "30d", "--allow-empty"])), [[0; 0]; 2]);
    }
}
