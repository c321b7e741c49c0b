//! References as text: the canonical, complete form, which the door in `parse` takes back. ECR images are printed as
//! the Docker URI once account and region are known, so that what is printed can be pulled.

use std::fmt::{Display, Formatter, Result};

use super::{ImageId, ImageRef, Provider, Reference, StoreRef, registry::Registry};

impl Display for Provider {
    fn fmt(&self, f: &mut Formatter) -> Result {
        f.pad(self.scheme())
    }
}

impl Display for StoreRef {
    fn fmt(&self, f: &mut Formatter) -> Result {
        if let Some(host) = self.registry_host() {
            return write!(f, "{host}/{}", self.name);
        }
        write!(f, "{}:", self.provider)?;
        if let Some(region) = &self.region {
            f.write_str("//")?;
            if let (Provider::Ecr | Provider::Workspace, Some(owner)) = (self.provider, &self.owner) {
                write!(f, "{owner}@")?;
            }
            write!(f, "{region}/")?;
        }
        f.write_str(&self.name)
    }
}

impl StoreRef {
    /// The host that an ECR image is pulled from, once account and region are known.
    pub fn registry_host(&self) -> Option<String> {
        if self.provider != Provider::Ecr {
            return None;
        }
        let registry = Registry { account: self.owner.clone()?, region: self.region.clone()?, host: self.host };
        registry.host()
    }
}

impl Display for ImageId {
    fn fmt(&self, f: &mut Formatter) -> Result {
        match self {
            Self::Named(id) => f.write_str(id),
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => write!(f, "{digest}"),
            Self::TagAt(tag, digest) => write!(f, "{tag}@{digest}"),
        }
    }
}

impl Display for ImageRef {
    fn fmt(&self, f: &mut Formatter) -> Result {
        let joint = match self.id {
            ImageId::Named(_) => "",
            ImageId::Tag(_) | ImageId::TagAt(..) => ":",
            ImageId::Digest(_) => "@",
        };
        write!(f, "{}{joint}{}", self.store, self.id)
    }
}

impl Display for Reference {
    fn fmt(&self, f: &mut Formatter) -> Result {
        match self {
            Self::Image(image) => image.fmt(f),
            Self::Store(store) => store.fmt(f),
        }
    }
}
