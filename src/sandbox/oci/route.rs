//! What a request to a registry is for, read from its method and path.

use super::habits::{Habits, Referrers};
use crate::sandbox::{Received, ecr::is_repository, text};

/// A thing that a registry serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/v2/`, by which clients learn how to log in.
    Root,
    Catalog,
    Tags(String),
    /// With its tag or digest.
    Manifest(String, String),
    /// With its digest.
    Blob(String, String),
    Uploads(String),
    /// With its id.
    Upload(String, String),
    /// With the digest of the subject.
    Referrers(String, String),
}

/// A place, and what is done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: String,
    pub place: Place,
}

impl Route {
    /// The route of a request below `/v2/`; nothing for a path that no registry has.
    pub fn of(request: &Received) -> Option<Self> {
        let path = text(request.path.strip_prefix("/v2/")?);
        let place = Place::of(&path)?;
        Some(Self { method: request.method.clone(), place })
    }

    /// Its name in faults and in the record of calls: `DELETE manifest`.
    pub fn name(&self) -> String {
        let place = match self.place {
            Place::Root => "root",
            Place::Catalog => "catalog",
            Place::Tags(_) => "tags",
            Place::Manifest(..) => "manifest",
            Place::Blob(..) => "blob",
            Place::Uploads(_) | Place::Upload(..) => "upload",
            Place::Referrers(..) => "referrers",
        };
        format!("{} {place}", self.method)
    }

    /// What a caller must be allowed to do: for what, and which actions on it.
    pub fn needs(&self, habits: &Habits) -> Option<(String, &'static str)> {
        let name = match &self.place {
            Place::Root => return None,
            Place::Catalog => return Some(("registry:catalog".into(), "*")),
            _ => self.repository()?,
        };
        let actions = match self.method.as_str() {
            "GET" | "HEAD" if !matches!(self.place, Place::Upload(..)) => "pull",
            "DELETE" if !matches!(self.place, Place::Upload(..)) => habits.deletion,
            _ => "pull,push",
        };
        Some((format!("repository:{name}"), actions))
    }

    /// Whether a registry has it. One that does not says so before it asks who calls.
    pub fn is_known(&self, habits: &Habits) -> bool {
        match self.place {
            Place::Referrers(..) => habits.referrers != Referrers::NoRoute,
            Place::Catalog => habits.catalog.is_some(),
            _ => true,
        }
    }

    /// The image that it names, as references write it.
    pub fn item(&self) -> Option<String> {
        match &self.place {
            Place::Root | Place::Catalog => None,
            Place::Tags(name) | Place::Uploads(name) | Place::Upload(name, _) => Some(name.clone()),
            Place::Manifest(name, reference) if !reference.contains(':') => Some(format!("{name}:{reference}")),
            Place::Manifest(name, digest) | Place::Blob(name, digest) | Place::Referrers(name, digest) => {
                Some(format!("{name}@{digest}"))
            }
        }
    }

    /// The repository that it names.
    pub fn repository(&self) -> Option<&str> {
        match &self.place {
            Place::Root | Place::Catalog => None,
            Place::Tags(name) | Place::Uploads(name) => Some(name),
            Place::Manifest(name, _) | Place::Blob(name, _) | Place::Upload(name, _) | Place::Referrers(name, _) => {
                Some(name)
            }
        }
    }
}

impl Place {
    fn of(path: &str) -> Option<Self> {
        match path {
            "" => return Some(Self::Root),
            "_catalog" => return Some(Self::Catalog),
            _ => {}
        }
        if let Some(name) = path.strip_suffix("/blobs/uploads/").or(path.strip_suffix("/blobs/uploads")) {
            return is_routed(name).then(|| Self::Uploads(name.into()));
        }
        if let Some(name) = path.strip_suffix("/tags/list") {
            return is_routed(name).then(|| Self::Tags(name.into()));
        }
        let (before, last) = path.rsplit_once('/')?;
        let (name, place): (_, fn(String, String) -> Self) = if let Some(name) = before.strip_suffix("/blobs/uploads") {
            (name, Self::Upload)
        } else if let Some(name) = before.strip_suffix("/manifests") {
            (name, Self::Manifest)
        } else if let Some(name) = before.strip_suffix("/blobs") {
            (name, Self::Blob)
        } else {
            (before.strip_suffix("/referrers")?, Self::Referrers)
        };
        let good = is_routed(name) && (last.contains(':') || !matches!(last.as_bytes(), [] | [b'.' | b'-', ..]));
        good.then(|| place(name.into(), last.into()))
    }
}

/// Whether a path with this name is one of a registry. distribution takes a first part that looks like a
/// host.
fn is_routed(name: &str) -> bool {
    match name.split_once('/') {
        Some((first, rest)) => is_repository(&first.to_lowercase()) && is_repository(rest),
        None => is_repository(name),
    }
}

/// What a registry does, by the names of [`Route::name`].
pub const OPERATIONS: [&str; 15] = [
    "GET root",
    "HEAD root",
    "GET catalog",
    "GET tags",
    "HEAD manifest",
    "GET manifest",
    "PUT manifest",
    "DELETE manifest",
    "HEAD blob",
    "GET blob",
    "POST upload",
    "PATCH upload",
    "PUT upload",
    "GET upload",
    "GET referrers",
];

/// Whether a path is one to which layers are pushed.
pub fn is_upload(path: &str) -> bool {
    path.starts_with("/v2/") && path.contains("/blobs/uploads")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_repository_of_any_depth_and_what_is_in_it() {
        let place = |path| Place::of(path);
        let name = || "a/tags/b".to_owned();
        assert_eq!(place("a/tags/b/tags/list"), Some(Place::Tags(name())));
        assert_eq!(place("a/tags/b/manifests/v1"), Some(Place::Manifest(name(), "v1".into())));
        assert_eq!(place("a/tags/b/blobs/uploads/7"), Some(Place::Upload(name(), "7".into())));
        assert_eq!(place("a/tags/b/blobs/sha256:0"), Some(Place::Blob(name(), "sha256:0".into())));
        for bad in [
            "Team/tags/list",
            "team/App/tags/list",
            "manifests/v1",
            "a/manifests/-v1",
            "a/other/v1",
            "a//b/tags/list",
            "a",
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
