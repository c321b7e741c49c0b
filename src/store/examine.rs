//! Checks one provider for `imgctl doctor`: resolves its settings and makes one call that changes nothing. The details
//! are in `PROVIDER/examine.rs`.

use super::{Ask, cvm, ecr, oci, workspace};
use crate::{
    checkup::{Checkup, Subject},
    image::{Provider, StoreRef},
    settings::Settings,
};

/// Checks whether a store is usable, and whether the services to ask can be asked. `checkup` holds the findings, also if
/// the caller drops this early.
pub async fn examine(settings: &Settings, store: &StoreRef, ask: &Ask, checkup: &mut Checkup) {
    let ended = match store.provider {
        Provider::Ecr => ecr::examine::examine(settings, store, ask, checkup).await,
        Provider::Cvm => cvm::examine::examine(settings, store, checkup).await,
        Provider::Oci => oci::examine::examine(settings, store, checkup).await,
        Provider::Workspace => workspace::examine::examine(settings, store, checkup).await,
    };
    // Every error must be among the checks, also if the code above forgot to add it.
    if ended.is_err() && checkup.error().is_none() {
        let _ = checkup.of(Subject::Read, ended);
    }
}
