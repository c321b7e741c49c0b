//! The products that hold images, each with its scheme. Everything else about a provider is in its own file; `providers`
//! lists those.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A product that holds images; also the scheme of its references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Ecr,
    Cvm,
    Workspace,
    Oci,
}

impl Provider {
    pub const ALL: [Self; 4] = [Self::Ecr, Self::Cvm, Self::Workspace, Self::Oci];

    /// The word that references begin with, as JSON has it too.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Cvm => "cvm",
            Self::Workspace => "workspace",
            Self::Oci => "oci",
        }
    }

    /// The provider with this scheme, in either case.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.scheme().eq_ignore_ascii_case(scheme))
    }

    /// The provider with this scheme, or with this other name, in either case.
    pub fn of_word(word: &str) -> Option<Self> {
        let is_alias = |provider: &Self| {
            let mut aliases = provider.nature().aliases.iter();
            aliases.any(|alias| alias.eq_ignore_ascii_case(word))
        };
        Self::of_scheme(word).or_else(|| Self::ALL.into_iter().find(is_alias))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_listed_and_has_one_name() {
        let schema = schemars::schema_for!(Provider);
        let named: Vec<_> = schema.get("enum").unwrap().as_array().unwrap().iter().collect();
        assert_eq!(named, Provider::ALL.map(Provider::scheme));
    }
}
