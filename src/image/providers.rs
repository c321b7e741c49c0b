//! The list of providers' files. A new provider begins with a variant of `Provider`, and the compiler asks for the rest.

use super::{
    cvm, ecr,
    nature::{Archive, Images, Nature},
    oci,
    place::{ParseError, Part},
    provider::Provider,
    read::Read,
    reference::StoreRef,
    workspace,
};

impl Provider {
    pub(super) fn nature(self) -> &'static Nature {
        match self {
            Self::Ecr => &ecr::NATURE,
            Self::Cvm => &cvm::NATURE,
            Self::Workspace => &workspace::NATURE,
            Self::Oci => &oci::NATURE,
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

    /// What archiving its images means, if that is possible.
    pub fn archive(self) -> Option<&'static Archive> {
        self.nature().archive.as_ref()
    }

    /// How long its deleted images can be restored, as the end of a sentence; `None` if they cannot.
    pub fn undo(self) -> Option<&'static str> {
        self.nature().undo
    }

    /// What nothing can rule out about a deletion, as a sentence.
    pub fn race(self) -> Option<&'static str> {
        self.nature().race
    }

    /// Whether its images are containers, in repositories with tags, manifests and layers. Otherwise they are machine images.
    pub fn has_containers(self) -> bool {
        matches!(self.nature().images, Images::Containers)
    }

    /// Whether its references always begin with the host of a registry, also after the scheme.
    pub fn begins_with_host(self) -> bool {
        self.nature().hosts.as_ref().is_some_and(|hosts| hosts.always)
    }

    /// Whether a word can only be an id of one of its images.
    pub fn is_id(self, word: &str) -> bool {
        match self.nature().images {
            Images::Containers => false,
            Images::Machines { is_id, .. } => is_id(word),
        }
    }

    /// Everything it holds, as a reference: for containers, every repository.
    pub fn whole(self) -> StoreRef {
        StoreRef::of(self).with_name(if self.has_containers() { "**" } else { "" })
    }
}

impl StoreRef {
    /// The host that its images are pulled from, if there is one and enough is known.
    pub fn registry_host(&self) -> Option<String> {
        let hosts = self.provider.nature().hosts.as_ref()?;
        (hosts.print)(self)
    }
}

/// Reads `HOST/REPOSITORY…`, if the host means to be a registry of one of the providers. Each explains its own other hosts
/// before the next one is asked, because a later one may take any host.
pub(super) fn of_host(text: Part) -> Result<Option<Read>, ParseError> {
    for hosts in Provider::ALL.into_iter().filter_map(|provider| provider.nature().hosts.as_ref()) {
        if let Some(read) = (hosts.read)(text)? {
            return Ok(Some(read));
        }
        if let Some(error) = (hosts.near)(text) {
            return Err(if error.right().is_none() { error.or(schemes()) } else { error });
        }
    }
    Ok(None)
}

/// The provider whose references always begin with a host.
pub(super) fn by_host() -> Provider {
    Provider::ALL.into_iter().find(|provider| provider.begins_with_host()).expect("one takes any host")
}

/// How references begin.
pub(super) fn schemes() -> String {
    let [rest @ .., last] = Provider::ALL;
    let rest = rest.map(|provider| format!("{provider}:")).join(", ");
    format!("a reference begins with {rest} or {last}:, as in ecr:team/app:v1 or cvm:img-6pb6lrmy")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Folders with a part for each provider.
    const OWN: [&str; 4] = ["image", "settings", "store", "sandbox"];
    /// Files that are tests as a whole.
    const TESTS: [&str; 4] = ["laws.rs", "lessons.rs", "sample.rs", "tests.rs"];

    /// The lines of the product below a folder that name one provider.
    fn naming(folder: &Path, found: &mut Vec<String>) {
        let variants = Provider::ALL.map(|provider| format!("Provider::{provider:?}"));
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if !OWN.iter().any(|own| name == *own) {
                    naming(&path, found);
                }
            } else if !TESTS.iter().any(|test| name == *test) {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let lines = product.lines().filter(|line| variants.iter().any(|variant| line.contains(variant)));
                found.extend(lines.map(|line| format!("{}: {}", path.display(), line.trim())));
            }
        }
    }

    #[test]
    fn everything_else_asks_what_a_provider_is_and_never_which_one() {
        let mut found = Vec::new();
        naming(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.is_empty(), "a new provider would be forgotten here: {found:#?}");
    }
}
