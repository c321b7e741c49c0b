//! An order of what `prune` chose a moment ago.

use std::sync::Arc;

use tokio::time::Instant;

use super::order::{Asked, Chosen, Going, Next, Order, StoreOrder, Usage};
use crate::{
    engine::Target,
    prune::{Action, Saved},
    survey::{
        Files, InUse,
        plan::{Made, OfStore},
        show,
    },
};

impl<'m> Order<'m> {
    pub fn chosen(made: &'m Made, in_use: InUse) -> Self {
        let mut places = 0..;
        let deletes = made.stores().filter(|of| of.plan.totals.deleted > 0);
        Self {
            stores: deletes.map(|of| store(&of, &mut places)).collect(),
            unopened: Vec::new(),
            usage: Usage { evidence: made.evidence.clone(), files: Files::default(), in_use },
        }
    }
}

fn store<'m>(of: &OfStore<'m>, places: &mut impl Iterator<Item = usize>) -> StoreOrder<'m> {
    let stock = of.stock;
    let (mut goes, mut asked, mut saved) = (Vec::new(), Vec::new(), Vec::new());
    for row in show::rows(stock, of.plan, |row| row.action == Action::Delete) {
        let image = &stock.images()[row.image];
        let (Some(id), Some(was), Some(place)) = (&image.id, Saved::of(row, image), places.next()) else {
            continue;
        };
        let choice = Some(Box::new(show::choice(stock, row)));
        asked.push(Asked { place, id: id.clone(), choice, next: Next::Goes(goes.len()) });
        goes.push(Going::new(Target { id: id.clone(), seen: Some(Arc::new(image.clone())) }));
        saved.push(was);
    }
    let chosen = Chosen { guards: of.rules.guards.clone(), stock: Some(stock), saved };
    let session = Arc::clone(of.session);
    StoreOrder { session, goes, asked, looked_at: Instant::now(), chosen: Some(chosen) }
}
