//! Turns what was decided into a plan: a row per image, totals, and warnings.

use std::collections::{BTreeMap, BTreeSet};

use super::{Deciding, Fate};
use crate::prune::{Action, Reason, Row, Rule, StorePlan, Totals, freed::quick, graph::called};

impl Deciding<'_> {
    pub(super) fn plan(mut self) -> StorePlan {
        let fates = std::mem::take(&mut self.fates);
        let graph = &self.graph;
        let row = |(place, fate): (usize, Fate)| {
            let reason = match fate {
                Fate::Decided(reason) => reason,
                // Cannot happen: every image was judged or follows one that was. A mistake here must not delete.
                Fate::Open | Fate::Chosen(_) => {
                    Reason { rule: Rule::NotSelected, words: "nothing selects it".into(), archive: false }
                }
            };
            // An index can also be attached to what it holds.
            let owners: BTreeSet<usize> = graph.owners(place).iter().map(|(owner, _)| *owner).collect();
            Row {
                image: place,
                reason,
                needed_by: owners.into_iter().collect(),
                elsewhere: self.subjects_elsewhere(place).map(Into::into).collect(),
                attached: graph.attached(place).count(),
            }
        };
        // One warning per reason, however many indexes have it.
        let mut unreadable: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, why) in graph.unreadable.iter().filter(|(place, _)| fates[*place].is(Action::Keep)) {
            unreadable.entry(why).or_default().push(*place);
        }
        let warning = |(why, places): (&str, Vec<usize>)| {
            let first = called(&self.stock.images()[places[0]]);
            let (others, it) = match places.len() - 1 {
                0 => (String::new(), "it"),
                others => (format!(" and {others} more"), "they"),
            };
            format!(
                "{}: {first}{others} could not be read ({why}); what {it} might need is kept",
                self.stock.store.name
            )
        };
        let warnings: Vec<String> = unreadable.into_iter().map(warning).collect();
        let tagged = |place: usize| self.stock.store.provider.has_containers() && graph.is_tagged_image(place);
        let mut plan = StorePlan {
            store: self.stock.store.clone(),
            rows: fates.into_iter().enumerate().map(row).collect(),
            totals: Totals::default(),
            warnings,
        };
        let freed = quick(self.stock, &plan);
        let count = |test: &dyn Fn(&Row) -> bool| plan.rows.iter().filter(|row| test(row)).count();
        plan.totals = Totals {
            images: plan.rows.len(),
            deleted: count(&|row| row.action() == Action::Delete),
            kept: count(&|row| row.action() == Action::Keep),
            tagged: count(&|row| tagged(row.image)),
            tagged_kept: count(&|row| tagged(row.image) && row.action() == Action::Keep),
            bytes: freed.bytes,
            unsized_images: freed.unknown,
        };
        plan
    }
}
