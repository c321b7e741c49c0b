//! The kinds of calls, and the limits of each.

/// A kind of call, with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Delete,
    Get,
    /// Images, or the stores of an account.
    List,
    Manifests,
    Layers,
    Poll,
    /// [`super::ImageStore::add_sharing`]
    Sharing,
    /// [`super::ImageStore::replication`] and [`super::ImageStore::cache_rules`]
    Registry,
    /// [`super::ImageStore::own_rules`]
    Rules,
    Put,
    /// [`super::ImageStore::set_storage_class`]
    StorageClass,
    /// [`super::ImageStore::details`]
    Details,
    /// [`super::ImageStore::referrers`]
    Referrers,
}

impl Op {
    /// Whether such a call changes something.
    pub fn changes(self) -> bool {
        matches!(self, Self::Delete | Self::Put | Self::StorageClass)
    }
}

/// The limits of one kind of call. Each figure has the URL of its source beside it.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The provider's name for the call. Calls with the same name share one rate.
    pub call: &'static str,
    /// Items a call.
    pub batch: usize,
    /// Calls a second: the published rate, or a maximum of our own if the provider publishes none.
    pub per_second: u32,
    /// Calls at once.
    pub in_flight: usize,
}
