//! Finds references in any text. It accepts more than `parse`: a word counts for everything it may mean, because an image
//! in use must not be missed.

use super::{provider::Provider, providers::by_host, reference::StoreRef};

/// Where a word says that a container image is.
pub struct Located<'w> {
    /// The provider whose registry it names, by scheme or host, if it names one.
    pub provider: Option<Provider>,
    /// The host that it begins with, of whatever registry.
    pub host: Option<&'w str>,
    owner: Option<&'w str>,
    region: Option<&'w str>,
    pub repository: &'w str,
    pub tag: Option<&'w str>,
}

impl<'w> Located<'w> {
    pub fn of(word: &'w str) -> Self {
        if let Some((scheme, rest)) = word.split_once(':')
            && let Some(provider) = Provider::of_scheme(scheme).filter(|provider| provider.has_containers())
        {
            if provider == by_host() {
                // The scheme says no more than the host that follows.
                return Self::of(rest.trim_start_matches('/'));
            }
            let Some((authority, path)) = rest.strip_prefix("//").and_then(|rest| rest.split_once('/')) else {
                return Self { provider: Some(provider), ..Self::at(rest) };
            };
            let (owner, region) = match authority.split_once('@') {
                Some((owner, region)) => (Some(owner), region),
                None => (None, authority),
            };
            return Self { provider: Some(provider), owner, region: Some(region), ..Self::at(path) };
        }
        // `docker-pullable://`, `https://` and their like.
        let word = word.rsplit_once("://").map_or(word, |(_, rest)| rest);
        match word.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
                let registry = Provider::ALL.into_iter().find_map(|provider| {
                    let (owner, region) = (provider.nature().hosts.as_ref()?.locate)(host)?;
                    Some((provider, owner, region))
                });
                match registry {
                    Some((provider, owner, region)) => {
                        let (owner, region) = (Some(owner), Some(region));
                        Self { provider: Some(provider), host: Some(host), owner, region, ..Self::at(path) }
                    }
                    None => Self { host: Some(host), ..Self::at(path) },
                }
            }
            _ => Self::at(word),
        }
    }

    /// `REPOSITORY[:TAG]`, wherever it is.
    fn at(path: &'w str) -> Self {
        let last = path.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match path[last..].find(':') {
            Some(colon) => (&path[..last + colon], Some(&path[last + colon + 1..])),
            None => (path, None),
        };
        Self { provider: None, host: None, owner: None, region: None, repository, tag }
    }

    /// Whether it names the registry of this store by its host.
    pub fn is_at(&self, store: &StoreRef) -> bool {
        self.host.is_some_and(|host| store.registry_host().is_some_and(|own| own.eq_ignore_ascii_case(host)))
    }

    /// Whether it may be in this store. A part that one of them leaves out matches anything.
    pub fn may_be_in(&self, store: &StoreRef) -> bool {
        let same = |known: &Option<String>, said: Option<&str>| match (known, said) {
            (Some(known), Some(said)) => known.eq_ignore_ascii_case(said),
            _ => true,
        };
        self.provider.is_none_or(|provider| provider == store.provider)
            && same(&store.owner, self.owner)
            && same(&store.region, self.region)
    }
}
