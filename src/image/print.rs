//! References as text: the canonical, complete form, which is accepted as input.

use std::fmt;

use super::{HostKind, ImageId, ImageRef, Provider, StoreRef, registry::Registry};

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.scheme())
    }
}

impl fmt::Display for StoreRef {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // The form that docker pulls, as soon as it is known whole. A pattern is nothing that can be pulled.
        if let (Provider::Ecr, Some(account), Some(region)) =
            (self.provider, &self.owner, &self.region)
            && (!self.is_pattern() || self.host != HostKind::default())
        {
            let registry = Registry {
                account: account.clone(),
                region: region.clone(),
                kind: self.host,
            };
            return write!(f, "{}/{}", registry.host(), self.name);
        }
        write!(f, "{}:", self.provider)?;
        match (&self.owner, &self.region) {
            (Some(owner), Some(region)) => write!(f, "//{owner}@{region}/")?,
            (None, Some(region)) => write!(f, "//{region}/")?,
            // An owner is never known without a region.
            (_, None) => {}
        }
        f.write_str(&self.name)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.store.fmt(f)?;
        match &self.id {
            ImageId::Named(name) => f.write_str(name),
            ImageId::Tag(tag) => write!(f, ":{tag}"),
            ImageId::Digest(digest) => write!(f, "@{digest}"),
            ImageId::TagAt(tag, digest) => write!(f, ":{tag}@{digest}"),
        }
    }
}
