//! What each provider's file says about it: its names, the kind of its images, and how to read and print its references.

use super::{
    place::{ParseError, Part},
    read::Read,
    reference::StoreRef,
};

pub struct Nature {
    /// Its name in a sentence.
    pub title: &'static str,
    /// What the owner of a store is called.
    pub owner_word: &'static str,
    /// Other words that people type instead of its scheme.
    pub aliases: &'static [&'static str],
    /// How long a deleted image can be restored, as the end of a sentence; `None` if it cannot.
    pub undo: Option<&'static str>,
    /// What nothing can rule out about a deletion, as a sentence.
    pub race: Option<&'static str>,
    /// What archiving images means, where they can be archived instead of deleted.
    pub archive: Option<Archive>,
    /// What its images are, and how they are named.
    pub images: Images,
    /// Reads the owner before the region, where references name one.
    pub owner: Option<fn(Part) -> Result<String, ParseError>>,
    /// Reads what follows `SCHEME:`.
    pub read: fn(Part) -> Result<Read, ParseError>,
    /// The hosts that its registries have, where references may begin with one.
    pub hosts: Option<Hosts>,
}

/// What a user must know before images go to the archive.
pub struct Archive {
    /// Costs, and the way back.
    pub costs: &'static str,
    /// What is not known about indexes.
    pub indexes: &'static str,
}

/// What the images of a provider are.
pub enum Images {
    /// Container images in repositories: with digests, tags, manifests and layers.
    Containers,
    /// Machine images, by an id of the provider's.
    Machines {
        /// A placeholder for an id in hints: `img-ID`.
        sample: &'static str,
        /// Whether a word alone may be an id, so that a hint can offer the whole reference.
        may_be_id: fn(&str) -> bool,
        /// Whether a word in any text can only be an id.
        is_id: fn(&str) -> bool,
    },
}

/// How the host of a registry says where a repository is.
pub struct Hosts {
    /// Reads `HOST/REPOSITORY…` if the host looks like one of these, valid or not.
    pub read: fn(Part) -> Result<Option<Read>, ParseError>,
    /// The host of a store, once enough is known about it.
    pub print: fn(&StoreRef) -> Option<String>,
    /// Owner and region of a host in any text. Accepts more than a reference may name: every variant counts.
    pub locate: for<'h> fn(&'h str) -> Option<(&'h str, &'h str)>,
    /// Explains a text with a host or a resource name of the same cloud that is not a reference.
    pub near: fn(Part) -> Option<ParseError>,
    /// References always begin with a host, also after the scheme.
    pub always: bool,
}
