//! Huawei Cloud: credentials, region, project and endpoints, from the same places as its own tools. `credentials`
//! chooses the credentials, `files` reads their file, `endpoint` finds the hosts. Nothing here calls the provider.
//! <https://github.com/huaweicloud/huaweicloud-sdk-python-v3>
//! <https://registry.terraform.io/providers/huaweicloud/huaweicloud/latest/docs#authentication>

mod credentials;
mod endpoint;
mod files;
#[cfg(test)]
mod tests;
mod variables;

pub use self::files::profiles;
use reqwest::Url;
use secrecy::SecretString;
use serde::Serialize;

use self::credentials::Found;
pub(super) use self::variables::VARIABLES;
use super::{Env, Settings, regions::checked, shortened, shown};
use crate::{
    checkup::{Checkup, Subject},
    error::{Error, Kind, Result},
};

const REGION: [&str; 2] = ["HW_REGION_NAME", "OS_REGION_NAME"];
const PROJECT_ID: [&str; 2] = ["HW_PROJECT_ID", "OS_PROJECT_ID"];
const SDK_PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const PROJECT_NAME: [&str; 2] = ["HW_PROJECT_NAME", "OS_PROJECT_NAME"];
const ENTERPRISE_PROJECT: &str = "HW_ENTERPRISE_PROJECT_ID";

/// Everything that calls to one region need.
pub struct Huawei {
    pub region: String,
    pub credentials: Credentials,
    /// Where the credentials were found, for the user.
    pub source: String,
    pub project: Project,
    pub iam: Url,
    pub workspace: Url,
    /// Listings show only this enterprise project.
    pub enterprise_project: Option<String>,
}

/// Who calls, and how they authenticate.
pub enum Credentials {
    /// imgctl did not create it and cannot renew it.
    Token(SecretString),
    /// Exchanged for a token.
    Password(Login),
    /// Each call is signed.
    Keys(Keys),
}

pub struct Login {
    pub user: Named,
    pub password: SecretString,
    /// The project that the token is for.
    pub scope: Named,
}

#[derive(Clone)]
pub struct Keys {
    pub access_key: String,
    pub secret_key: SecretString,
    /// Of temporary keys.
    pub security_token: Option<SecretString>,
}

/// A user or a project, as IAM wants it named. Names are unique only within their domain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Named {
    Id { id: String },
    Name { name: String, domain: Domain },
}

/// An account, as IAM wants it named.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Domain {
    Id { id: String },
    Name { name: String },
}

/// The project that the user means.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// The id and where it was given, if it was.
    pub id: Option<(String, String)>,
    /// The name to find it by. A region's own project has the region's name.
    pub name: String,
}

impl Named {
    /// The name, or else the id.
    pub fn shown(&self) -> &str {
        match self {
            Self::Id { id } => id,
            Self::Name { name, .. } => name,
        }
    }
}

impl Huawei {
    /// Finds the settings for the region of a reference, of `--region`, or of the environment.
    pub fn load(settings: &Settings, region: Option<&str>) -> Result<Self> {
        Self::look(settings, region, &mut Checkup::default())
    }

    /// The same, and records in `checkup` what was found where.
    pub fn look(settings: &Settings, region: Option<&str>, checkup: &mut Checkup) -> Result<Self> {
        let env = &settings.env;
        checkup.of(Subject::Credentials, env.readable(VARIABLES))?;
        let region = region
            .map(|region| ("the reference", region))
            .or_else(|| Some(("--region", settings.region.as_deref()?)))
            .or_else(|| env.first(&REGION));
        // Before the region: "no credentials" is the better error if nothing is configured.
        let name = region.and_then(|(from, region)| checked(region, from).ok()).unwrap_or_default();
        let found = checkup.of(Subject::Credentials, credentials::stored(settings, &name))?;
        let Found { credentials, source, project, iam_endpoint } = checkup.credentials(found, || false)?;
        credentials::note_unused(settings, &credentials, &source, checkup);
        let caller = credentials.caller().unwrap_or("a token".into());
        checkup.found(Subject::Credentials, caller, &source);
        let named = region.ok_or_else(|| {
            Error::new(
                Kind::Config,
                "no region for Huawei Cloud: looked at the reference, --region, HW_REGION_NAME and OS_REGION_NAME",
            )
            .hint("name one, as in workspace://cn-north-4/… or --region cn-north-4")
        });
        let checked = named.and_then(|(from, region)| Ok((from, checked(region, from)?)));
        let (region_from, region) = checkup.of(Subject::Region, checked)?;
        checkup.found(Subject::Region, &region, region_from);
        let iam = checkup.of(Subject::Login, endpoint::iam(env, &region, iam_endpoint))?;
        if !matches!((&credentials, &project.id), (Credentials::Keys(_), Some(_))) {
            checkup.found(Subject::Login, shown(&iam.url), iam.source);
        }
        if let Some((id, place)) = &project.id {
            checkup.found(Subject::Project, id, place);
        }
        let workspace = checkup.of(Subject::Endpoint, endpoint::workspace(env, &region))?;
        checkup.found(Subject::Endpoint, shown(&workspace.url), workspace.source);
        Ok(Self {
            iam: iam.url,
            workspace: workspace.url,
            region,
            credentials,
            source,
            project,
            enterprise_project: env.get(ENTERPRISE_PROJECT).map(Into::into),
        })
    }
}

impl Credentials {
    /// Who calls, if the credentials say so.
    pub fn caller(&self) -> Option<String> {
        match self {
            Self::Token(_) => None,
            Self::Password(login) => Some(login.user.shown().to_owned()),
            Self::Keys(keys) => Some(shortened(&keys.access_key)),
        }
    }
}

/// Regions for completion: the configured one, and those on a known list.
pub fn regions(env: &Env) -> Vec<String> {
    let own = env.first(&REGION).map(|(_, region)| region);
    let known = own.into_iter().chain(endpoint::APPSTREAM);
    known.map(Into::into).collect()
}

/// The project that variables name. A project belongs to one region, so it counts only for the region that the
/// variables name.
fn project(env: &Env, region: &str, ids: &[&str]) -> Project {
    let elsewhere = env.first(&REGION).is_some_and(|(_, of_variables)| of_variables != region);
    let given = |names: &[&str]| {
        let (name, value) = env.first(names).filter(|_| !elsewhere)?;
        Some((value.to_owned(), name.to_owned()))
    };
    Project { id: given(ids), name: given(&PROJECT_NAME).map_or(region.to_owned(), |(name, _)| name) }
}
