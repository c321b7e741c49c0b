//! Trying a provider out, for `imgctl doctor`: its settings are resolved and one call that changes nothing is made with
//! them. How is in `PROVIDER/examine.rs`.

use super::{cvm, ecr, workspace};
use crate::{
    checkup::{Checkup, Subject},
    image::{Provider, StoreRef},
    settings::Settings,
};

/// Finds out whether a store can be worked with. What was found by the time this is dropped is in `checkup`.
pub async fn examine(settings: &Settings, store: &StoreRef, checkup: &mut Checkup) {
    let ended = match store.provider {
        Provider::Ecr => ecr::examine::examine(settings, store, checkup).await,
        Provider::Cvm => cvm::examine::examine(settings, store, checkup).await,
        Provider::Workspace => workspace::examine::examine(settings, store, checkup).await,
    };
    // Whatever ended it is among the checks; that it is must not depend on anybody's care.
    if ended.is_err() && checkup.error().is_none() {
        let _ = checkup.of(Subject::Read, ended);
    }
}
