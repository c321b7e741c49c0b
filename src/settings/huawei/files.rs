//! The SDK's credentials file: INI with one section for each profile, `[basic]` by default. Errors do not repeat its
//! contents.
//! <https://github.com/huaweicloud/huaweicloud-sdk-python-v3>

use std::{
    collections::HashMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::{Credentials, Keys, PROJECT_ID, Project, SDK_PROJECT_ID, credentials::Found, project};
use crate::{
    error::{Error, Kind, Result},
    settings::{
        Env,
        ini::{self, Section},
    },
};

const PATH: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
const DEFAULT_SECTION: &str = "basic";

/// The credentials of a named profile. Variables do not name its project.
pub(super) fn profile(env: &Env, name: &str, region: &str) -> Result<Found> {
    let no_such = |why: String| {
        Error::new(Kind::Auth, format!("--profile names the profile \"{name}\", but {why}"))
            .hint(format!("write a section [{name}] with ak and sk into the file"))
    };
    let path = path(env).ok_or_else(|| no_such("there is no home folder".into()))?;
    let shown = path.display();
    let mut sections = read(&path)?.ok_or_else(|| no_such(format!("{shown} is not there")))?;
    let section = sections.remove(name).ok_or_else(|| no_such(format!("{shown} has no section [{name}]")))?;
    let own = Project { id: None, name: region.to_owned() };
    of_section(&path, name, section, own)?.ok_or_else(|| no_such(format!("[{name}] in {shown} has no ak and sk")))
}

/// The credentials of the default section, or why there are none.
pub(super) fn default(env: &Env, region: &str) -> Result<Result<Found, String>> {
    let Some(path) = path(env) else {
        return Ok(Err("~/.huaweicloud/credentials (there is no home folder)".into()));
    };
    let looked = |why: &str| Ok(Err(format!("{} ({why})", path.display())));
    let Some(mut sections) = read(&path)? else {
        if env.get(PATH).is_some() {
            return Err(broken(&path, format!("is not there; {PATH} names it")));
        }
        return looked("not there");
    };
    let Some(section) = sections.remove(DEFAULT_SECTION) else {
        return looked("it has no section [basic]");
    };
    let variables = project(env, region, &[SDK_PROJECT_ID, PROJECT_ID[0], PROJECT_ID[1]]);
    match of_section(&path, DEFAULT_SECTION, section, variables)? {
        Some(found) => Ok(Ok(found)),
        None => looked("its [basic] has no ak and sk"),
    }
}

/// The profiles of the file, for completion.
pub fn profiles(env: &Env) -> Vec<String> {
    let sections = path(env).and_then(|path| read(&path).ok().flatten());
    sections.map_or_else(Vec::new, |sections| sections.into_keys().collect())
}

fn path(env: &Env) -> Option<PathBuf> {
    match env.get(PATH) {
        Some(path) => Some(path.into()),
        None => env.home(".huaweicloud/credentials"),
    }
}

fn of_section(path: &Path, name: &str, mut section: Section, project: Project) -> Result<Option<Found>> {
    let source = format!("[{name}] in {}", path.display());
    let mut take = |key: &str| section.remove(key).filter(|value| !value.is_empty());
    let (access_key, secret_key) = match (take("ak"), take("sk")) {
        (None, None) => return Ok(None),
        (Some(access_key), Some(secret_key)) => (access_key, secret_key),
        (Some(_), None) => return Err(half(&source, "ak", "sk")),
        (None, Some(_)) => return Err(half(&source, "sk", "ak")),
    };
    let keys = Keys {
        access_key,
        secret_key: secret_key.into(),
        security_token: take("security_token").map(SecretString::from),
    };
    let id = take("project_id").map(|id| (id, source.clone()));
    Ok(Some(Found {
        credentials: Credentials::Keys(keys),
        project: Project { id: id.or(project.id), name: project.name },
        iam_endpoint: take("iam_endpoint").map(|url| (url, format!("iam_endpoint of {source}"))),
        source,
    }))
}

fn half(source: &str, set: &str, missing: &str) -> Error {
    Error::new(Kind::Auth, format!("{source} has {set}, and {missing} is missing"))
}

fn broken(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("{} {what}", path.display()))
}

/// The file's sections; `None` if the file does not exist.
fn read(path: &Path) -> Result<Option<HashMap<String, Section>>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(broken(path, format!("cannot be read: {}", error.kind()))),
    };
    ini::sections(&text).map(Some).map_err(|why| broken(path, why))
}
