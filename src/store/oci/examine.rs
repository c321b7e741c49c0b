//! Whether a registry can be worked with: the tags of the repository that was named, and a deletion that deletes nothing.

use std::{sync::Arc, time::Instant};

use chrono::{TimeDelta, Utc};
use reqwest::Method;

use super::{About, Call, Oci, Opened, described::unclear, pages::MOST};
use crate::{
    checkup::{Checkup, Heard, Subject},
    error::{Error, Kind, Result},
    image::{Digest, StoreRef},
    settings::{
        Settings,
        oci::{self, Credentials},
    },
    store::ImageStore,
};

/// Tokens begin to be good when they are made. Registries allow a minute.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

pub async fn examine(settings: &Settings, store: &StoreRef, checkup: &mut Checkup) -> Result<()> {
    if store.region.is_none() {
        return oci::Oci::look_everywhere(settings, checkup);
    }
    let oci = oci::Oci::look(settings, store, checkup)?;
    let looked = oci.place.looked.join(", ");
    let opened = checkup.of(Subject::Credentials, Opened::new(settings, oci, Arc::default()).await)?;
    let credentials = &opened.registry.credentials;
    match (&opened.registry.source, credentials) {
        (Some(source), credentials) => checkup.found(Subject::Credentials, credentials.caller(), source),
        (None, _) => checkup.found(Subject::Credentials, Credentials::Anonymous.caller(), looked),
    }
    let oci = Oci::new(Arc::new(opened), store);
    let one = !store.is_pattern();
    let (call, right) = match one {
        true => (oci.call("GET tags", About::Tags, Method::GET, "tags/list?n=1"), "pull"),
        false => (Call::new("GET catalog", About::Catalog, Method::GET, "", format!("_catalog?n={MOST}")), "catalog"),
    };
    let registry = &oci.opened.registry;
    checkup.calls += 1;
    let started = Instant::now();
    let answer = registry.ask(&call).await;
    let heard = Heard::of(&answer, started);
    let read = answer.and_then(|answer| match answer.status {
        200..300 => Ok(()),
        _ => Err(registry.refused(call.about, &answer)),
    });
    checkup.tried(right, heard.as_ref(), TOLERANCE, read)?;
    oci.examine_abilities(one, checkup).await;
    match (settings.options.check_delete, one) {
        (false, true) => checkup.unknown(Subject::Delete, "not asked; --check-delete asks without deleting"),
        (_, false) => checkup.unknown(Subject::Delete, "name a repository to check it, as in oci:HOST/REPOSITORY"),
        (true, true) => {
            checkup.calls += 1;
            let answer = oci.deletes_nothing().await;
            checkup.allowed(Subject::Delete, "delete", answer);
        }
    }
    Ok(())
}

impl Oci {
    /// What this registry was found to be able to do, and what stays unknown.
    async fn examine_abilities(&self, one: bool, checkup: &mut Checkup) {
        let unknown = |checkup: &mut Checkup, error: &Error| checkup.unknown(Subject::Abilities, &error.to_string());
        let found = match self.opened.found().await {
            Ok(found) => found,
            Err(error) => return unknown(checkup, &error),
        };
        checkup.calls += found.calls;
        let (title, abilities) = (found.product.title(), found.product.abilities());
        if let Some(doubt) = &found.doubt {
            unknown(checkup, &unclear(doubt));
        }
        // A registry may know more than it tells these credentials.
        let lists = found.product.has_listing() && one;
        let listed = if lists { self.list(None).await.map(drop) } else { Ok(()) };
        checkup.calls += usize::from(lists);
        checkup.found(Subject::Abilities, format!("{title}: {abilities}"), found.source);
        if let Some(error) = listed.err().or(self.reduced().filter(|_| lists)) {
            unknown(checkup, &error);
        }
    }

    /// Asks to delete a digest that no image can have: a registry that would delete says that it is not there.
    async fn deletes_nothing(&self) -> Result<()> {
        let now = Utc::now().timestamp_nanos_opt().unwrap_or_default();
        let unused = Digest::sha256_of(format!("{now} {}", std::process::id()).as_bytes()).to_string();
        let call = self.manifest("DELETE manifest", About::DeleteImage, Method::DELETE, &unused);
        match self.opened.registry.call(&call).await {
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::new(Kind::Unreadable, "the registry says that it deleted an image that cannot exist")),
        }
    }
}
