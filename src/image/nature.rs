//! What there is to know of a provider before anything asks it: its names, what its images are, and how its references
//! are read and printed. Each provider's file fills this in once.

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
    /// Clouds and habits that people type for its scheme.
    pub aliases: &'static [&'static str],
    /// What its images are, and how they are named.
    pub images: Images,
    /// Reads the owner before the region, where references name one.
    pub owner: Option<fn(Part) -> Result<String, ParseError>>,
    /// Reads what follows `SCHEME:`.
    pub read: fn(Part) -> Result<Read, ParseError>,
    /// The hosts that its registries have, where references may begin with one.
    pub hosts: Option<Hosts>,
}

/// What the images of a provider are.
pub enum Images {
    /// Container images in repositories: with digests, tags, manifests and layers.
    Containers,
    /// Machine images, by an id of the provider's.
    Machines {
        /// What stands for an id in advice: `img-ID`.
        sample: &'static str,
        /// Whether a word alone may well be an id, so that advice can offer its whole reference.
        may_be_id: fn(&str) -> bool,
        /// Whether a word can be nothing but an id, in text of any kind.
        is_id: fn(&str) -> bool,
    },
}

/// How the host of a registry says where a repository is.
pub struct Hosts {
    /// Reads `HOST/REPOSITORY…`, if the host means to be one of these, right or wrong.
    pub read: fn(Part) -> Result<Option<Read>, ParseError>,
    /// The host of a store, once enough is known of it.
    pub print: fn(&StoreRef) -> Option<String>,
    /// Owner and region of a host in text of any kind. Looser than what is asked of a provider: every variant counts.
    pub locate: for<'h> fn(&'h str) -> Option<(&'h str, &'h str)>,
    /// Explains a text with a host or a resource name of the same cloud that is not a reference.
    pub near: fn(Part) -> Option<ParseError>,
}
