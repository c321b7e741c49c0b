//! The list of providers' files. A new provider begins with a variant of `Provider`, and the compiler asks for the rest.

use super::{
    cvm, ecr,
    nature::{Hosts, Images, Nature},
    provider::Provider,
    reference::StoreRef,
    workspace,
};

impl Provider {
    pub(super) fn nature(self) -> &'static Nature {
        match self {
            Self::Ecr => &ecr::NATURE,
            Self::Cvm => &cvm::NATURE,
            Self::Workspace => &workspace::NATURE,
        }
    }

    /// Its name in a sentence.
    pub fn title(self) -> &'static str {
        self.nature().title
    }

    /// What the owner of a store is called.
    pub fn owner_word(self) -> &'static str {
        self.nature().owner_word
    }

    /// Its images are containers: in repositories, with tags, manifests and layers. Otherwise they are machine images.
    pub fn has_containers(self) -> bool {
        matches!(self.nature().images, Images::Containers)
    }

    /// Whether a word can be nothing but an id of one of its images, wherever it stands.
    pub fn is_id(self, word: &str) -> bool {
        match self.nature().images {
            Images::Containers => false,
            Images::Machines { is_id, .. } => is_id(word),
        }
    }

    /// All that it holds, as a reference: of containers every repository.
    pub fn whole(self) -> StoreRef {
        StoreRef::of(self).with_name(if self.has_containers() { "**" } else { "" })
    }
}

impl StoreRef {
    /// The host that its images are pulled from, where there is one and enough is known.
    pub fn registry_host(&self) -> Option<String> {
        let hosts = self.provider.nature().hosts.as_ref()?;
        (hosts.print)(self)
    }
}

/// The hosts of every provider that has any.
pub(super) fn hosts() -> impl Iterator<Item = &'static Hosts> {
    Provider::ALL.into_iter().filter_map(|provider| provider.nature().hosts.as_ref())
}
