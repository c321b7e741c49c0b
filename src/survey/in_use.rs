//! Asks providers which images are in use: users, families, shares, and groups of image servers. It asks only about stores
//! from which something would be deleted.

use std::sync::Arc;

use crate::{
    context::Context,
    engine::Session,
    error::{Error, Result},
    prune::{Evidence, Stock},
    store::{Ask, Image, Op, Uses},
};

/// Which evidence to ask for.
#[derive(Clone, Debug, Default)]
pub struct InUse {
    /// Ask for users, families and shares.
    pub check: bool,
    /// Delete what depends on an image server with it.
    pub recursive: bool,
    /// Services to ask.
    pub ask: Ask,
    /// Accept services that know of nothing.
    pub allow_empty: bool,
}

/// Records what a provider knows about the use of a store's images. It asks about shares only of the images in `asked`,
/// which would be deleted.
pub async fn in_use(
    context: &Context,
    session: &Session,
    stock: &Stock,
    asked: &[Arc<Image>],
    wanted: &InUse,
    evidence: &mut Evidence,
) -> Result<()> {
    if !wanted.recursive {
        evidence.grouped(stock);
    }
    if !wanted.check {
        return Ok(());
    }
    evidence.newest_of_families(stock);
    let users = match session.store.users() {
        Some(source) => context.asking().users(&*source).await.map_err(unchecked)?.users,
        None => Vec::new(),
    };
    for user in users {
        let why = |what: &str| format!("in use, {} {what}", user.who);
        match user.uses {
            Uses::Image(id) => evidence.id_in(&stock.store, &id, why("was made from it")),
            Uses::Family(family) => {
                evidence.family_in(&stock.store, &family, why("starts from its family"));
            }
            // Machines are started from images by id or family.
            Uses::Named(_) | Uses::Digest(_) => {}
        }
    }
    if session.store.limit(Op::Sharing).is_some() {
        let mut asked: Vec<Image> = asked.iter().map(|image| (**image).clone()).collect();
        session.add_sharing(&mut asked).await.map_err(unchecked)?;
        evidence.shared_out(&Stock::new(stock.store.clone(), asked));
    }
    Ok(())
}

/// Without an answer, nothing is deleted.
fn unchecked(error: Error) -> Error {
    if error.hint.is_some() {
        return error;
    }
    error.hint(
        "nothing in this store is deleted, because its use could not be checked; --skip-usage-check skips the check",
    )
}
