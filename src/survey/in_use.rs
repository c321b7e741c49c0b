//! Evidence that comes from the providers: who started from an image, what a family gives, who was given one, what
//! depends on an image server. It is gathered only for stores from which something would go.

use crate::{
    engine::Session,
    error::{Error, Result},
    prune::{Evidence, Stock},
    store::{Image, Op, Uses},
};

/// Which of the provider's evidence is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct InUse {
    /// Users, families and shares.
    pub check: bool,
    /// What depends on an image server goes with it.
    pub recursive: bool,
}

/// Adds what a store's provider knows of the use of its images. `asked` are those that would go: of each of them alone
/// it is asked with whom it is shared.
pub async fn in_use(
    session: &Session,
    stock: &Stock,
    asked: &[Image],
    wanted: InUse,
    evidence: &mut Evidence,
) -> Result<()> {
    if !wanted.recursive {
        evidence.grouped(stock);
    }
    if !wanted.check {
        return Ok(());
    }
    evidence.newest_of_families(stock);
    let users = session.users().await.map_err(unchecked)?;
    for user in users {
        let why = |what: &str| format!("in use, {} {what}", user.who);
        match user.uses {
            Uses::Image(id) => evidence.id_in(&stock.store, &id, why("was made from it")),
            Uses::Family(family) => {
                evidence.family_in(&stock.store, &family, why("starts from its family"));
            }
        }
    }
    if session.store.limit(Op::Sharing).is_some() {
        let mut asked = asked.to_vec();
        session.add_sharing(&mut asked).await.map_err(unchecked)?;
        evidence.shared_out(&Stock::new(stock.store.clone(), asked));
    }
    Ok(())
}

/// Not knowing is no reason to delete.
fn unchecked(error: Error) -> Error {
    if error.hint.is_some() {
        return error;
    }
    error
        .hint("what is in use could not be asked, so nothing of this store is deleted; --skip-usage-check goes without")
}
