//! All variables that the providers' settings read.

use super::{aws, huawei, oci, tencent};
use crate::image::Provider;

/// Variables that imgctl reads for every provider.
pub(super) const COMMON: &[&str] = &[
    "ALL_PROXY",
    "CI",
    "GITHUB_ACTIONS",
    "GITHUB_STEP_SUMMARY",
    "HOME",
    "HTTPS_PROXY",
    "IMGCTL_CACHE_DIR",
    "IMGCTL_OUTPUT",
    "IMGCTL_SANDBOX",
    "IMGCTL_STATE_DIR",
    "NO_COLOR",
    "NO_PROXY",
    "TERM",
    "all_proxy",
    "https_proxy",
    "no_proxy",
];

pub fn variables() -> impl Iterator<Item = &'static str> {
    let of = |provider| match provider {
        Provider::Ecr => aws::VARIABLES,
        Provider::Cvm => tencent::VARIABLES,
        Provider::Workspace => huawei::VARIABLES,
        Provider::Oci => oci::VARIABLES,
    };
    Provider::ALL.into_iter().flat_map(of).copied()
}
