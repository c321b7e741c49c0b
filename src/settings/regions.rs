//! Regions for completion, and the rule for valid names. Completion offers configured regions and those on known lists.
//! It never calls a provider, so the list may be incomplete.

use super::{Settings, aws, huawei, oci, tencent};
use crate::{
    error::{Error, Kind, Result},
    image::{self, Provider},
};

/// Checks a region's name. It becomes part of a host name that credentials are sent to.
pub(super) fn checked(region: &str, from: &str) -> Result<String> {
    image::region(region).map_err(|error| {
        let error = Error::from(error);
        Error { kind: Kind::Config, message: format!("{from} does not name a region: {}", error.message), ..error }
    })
}

/// The profiles that a provider's own tools know, for completion.
pub async fn profiles(settings: &Settings, provider: Provider) -> Vec<String> {
    let mut profiles = match provider {
        Provider::Ecr => aws::profiles(settings).await,
        Provider::Cvm => tencent::profiles(&settings.env),
        Provider::Workspace => huawei::profiles(&settings.env),
        // Their credentials are found by the registry's host.
        Provider::Oci => Vec::new(),
    };
    profiles.sort_unstable();
    profiles
}

/// Each once, the configured one first.
pub async fn regions(settings: &Settings, provider: Provider) -> Vec<String> {
    let mut regions: Vec<String> = settings.region.iter().cloned().collect();
    regions.extend(match provider {
        Provider::Ecr => aws::regions(settings).await,
        Provider::Cvm => tencent::region(settings).into_iter().collect(),
        Provider::Workspace => huawei::regions(&settings.env),
        Provider::Oci => oci::hosts(&settings.env),
    });
    let mut known = std::collections::HashSet::new();
    regions.retain(|region| known.insert(region.clone()));
    regions
}
