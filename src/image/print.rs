//! Prints references in their canonical, complete form, which `parse` accepts. Container images are printed with the
//! registry's host once it is known, so that the printed name can be pulled.

use std::fmt::{Display, Formatter, Result};

use super::reference::{ImageId, ImageRef, Reference, StoreRef};

impl Display for StoreRef {
    fn fmt(&self, f: &mut Formatter) -> Result {
        if let Some(host) = self.registry_host() {
            return write!(f, "{host}/{}", self.name);
        }
        write!(f, "{}:", self.provider)?;
        if let Some(region) = &self.region {
            f.write_str("//")?;
            if let (Some(owner), true) = (&self.owner, self.provider.nature().owner.is_some()) {
                write!(f, "{owner}@")?;
            }
            write!(f, "{region}/")?;
        }
        f.write_str(&self.name)
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
