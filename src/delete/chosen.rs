//! Makes an order of the images that `prune` just chose.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::order::{Asked, Chosen, Going, Next, Order, StoreOrder, Usage};
use crate::{
    engine::{Copies, Target},
    prune::{
        Action, Saved,
        saved::{read_at, was_read},
    },
    survey::{
        Files, InUse,
        plan::{Made, OfStore},
        show,
    },
};

impl<'m> Order<'m> {
    pub fn chosen(made: &'m Made, in_use: InUse) -> Self {
        let mut places = 0;
        let deletes = made.stores().filter(|of| of.plan.totals.deleted > 0);
        Self {
            stores: deletes.map(|of| store(&of, made.at, &mut places)).collect(),
            unopened: Vec::new(),
            usage: Usage { evidence: made.evidence.clone(), files: Files::default(), in_use },
            archive: made.archive,
        }
    }
}

fn store<'m>(of: &OfStore<'m>, at: DateTime<Utc>, places: &mut usize) -> StoreOrder<'m> {
    let stock = of.stock;
    let (mut goes, mut asked, mut saved) = (Vec::new(), Vec::new(), Vec::new());
    for row in show::rows(stock, of.plan, |row| row.action() == Action::Delete) {
        let image = &stock.images()[row.image];
        let read_at = read_at(was_read(image), of.exactly, at);
        let (Some(id), Some(was)) = (image.id.clone(), Saved::of(row, image, read_at)) else {
            continue;
        };
        let choice = Some(Box::new(show::choice(stock, row, of.archive)));
        asked.push(Asked { place: *places, id: id.clone(), choice, next: Next::Goes(goes.len()) });
        saved.push(was);
        *places += 1;
        goes.push(Going::new(Target { id, seen: Some(Arc::clone(image)), read_at }));
    }
    let chosen = Chosen { guards: of.rules.guards.clone(), stock: Some(stock), saved };
    let session = Arc::clone(of.session);
    StoreOrder { session, goes, asked, looked_at: Instant::now(), copies: Copies::None, chosen: Some(chosen) }
}
