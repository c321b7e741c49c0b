//! The variables that the providers' settings read, all of them.

use super::{aws, huawei, tencent};
use crate::image::Provider;

pub fn variables() -> impl Iterator<Item = &'static str> {
    let of = |provider| match provider {
        Provider::Ecr => aws::VARIABLES,
        Provider::Cvm => tencent::VARIABLES,
        Provider::Workspace => huawei::VARIABLES,
    };
    Provider::ALL.into_iter().flat_map(of).copied()
}
