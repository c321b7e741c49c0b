//! Calls of the APIs that registries have beside the protocol: which call a request is, what it needs, and who does it.

use super::{
    acr,
    front::Front,
    habits::{Api, Auth},
    harbor,
    refusal::Refusal,
    zot,
};
use crate::sandbox::{Received, Reply};

/// One call, as its path says it.
pub struct Call {
    /// Its name in faults and in the record of calls.
    pub operation: &'static str,
    /// How it is signed for, where that is not as the registry's other calls are.
    pub auth: Option<Auth>,
    /// Actions on the repository, or on the catalog where it names none.
    pub actions: &'static str,
    pub repository: Option<String>,
    /// A tag or a digest.
    pub reference: String,
    pub act: Act,
}

pub type Act = fn(&mut Front, &Call) -> Result<Reply, Refusal>;

impl Call {
    pub fn of(api: Option<Api>, request: &Received) -> Option<Self> {
        match api? {
            Api::Acr => acr::call(request),
            Api::Gar => None,
            Api::Harbor => harbor::call(request),
            Api::Zot => zot::call(request),
        }
    }

    /// What a caller must be allowed to do.
    pub fn needs(&self) -> (String, &'static str) {
        let what = match &self.repository {
            Some(name) => format!("repository:{name}"),
            None => "registry:catalog".into(),
        };
        (what, self.actions)
    }

    /// The image that it names, as references write it.
    pub fn item(&self) -> Option<String> {
        let name = self.repository.clone()?;
        Some(match self.reference.as_str() {
            "" => name,
            digest if digest.contains(':') => format!("{name}@{digest}"),
            tag => format!("{name}:{tag}"),
        })
    }
}

impl Front<'_> {
    /// The repository of a call that names one.
    pub fn called(&mut self, call: &Call) -> Result<&mut crate::sandbox::ecr::repository::Repository, Refusal> {
        self.repository(call.repository.as_deref().unwrap_or_default())
    }
}
