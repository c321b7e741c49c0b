//! Chooses the credentials for a repository: the first file that has some, and in it the entry that fits best. Nothing is
//! sent and no helper runs before [`Place::read`].

use std::{path::PathBuf, time::Duration};

use super::{
    Credentials,
    files::{self, AuthFile},
    helper,
};
use crate::{
    error::{Error, Kind, Result},
    image::oci::HUB,
    settings::Env,
};

/// The contents of a file, as GitLab's runners give them.
pub(super) const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";
const DOCKER_CONFIG: &str = "DOCKER_CONFIG";
const REGISTRY_AUTH_FILE: &str = "REGISTRY_AUTH_FILE";
const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
pub(super) const CONFIG_HOME: &str = "XDG_CONFIG_HOME";

/// How Docker's own tools name Docker Hub in files and to helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Where the credentials for a repository are. One registry is opened once for each of these.
#[derive(Clone, Debug)]
pub struct Place {
    /// What is tried, in this order, until something has credentials.
    tries: Vec<Try>,
    /// Where they were looked for.
    pub looked: Vec<String>,
}

#[derive(Clone, Debug)]
enum Try {
    Stored(Credentials, String),
    Helper { program: String, server: String, source: String },
}

/// Credentials, and where they were found.
#[derive(Clone, Debug)]
pub struct Found {
    pub credentials: Credentials,
    pub source: Option<String>,
}

impl Place {
    /// What tells this place from others.
    pub fn key(&self) -> String {
        let of = |one: &Try| match one {
            Try::Stored(_, source) => source.clone(),
            Try::Helper { program, server, .. } => format!("{program} {server}"),
        };
        self.tries.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    /// Reads the credentials. A helper that has none for this registry counts as if it were not there.
    pub async fn read(&self, env: &Env, timeout: Duration) -> Result<Found> {
        for one in &self.tries {
            match one {
                Try::Stored(credentials, source) => {
                    return Ok(Found { credentials: credentials.clone(), source: Some(source.clone()) });
                }
                Try::Helper { program, server, source } => {
                    if let Some(credentials) = helper::get(env, program, server, source, timeout).await? {
                        return Ok(Found { credentials, source: Some(format!("{program}, named in {source}")) });
                    }
                }
            }
        }
        Ok(Found { credentials: Credentials::Anonymous, source: None })
    }
}

/// Where the credentials for a repository of a registry are.
pub(super) fn find(env: &Env, host: &str, repository: &str) -> Result<Place> {
    let (mut tries, mut looked) = (Vec::new(), Vec::new());
    for source in sources(env) {
        let Some((file, name)) = source.read()? else {
            looked.push(format!("{} (not there)", source.name()));
            continue;
        };
        let before = tries.len();
        in_file(&file, &name, host, repository, &mut tries)?;
        if tries.len() == before {
            let nothing = format!("{name} (nothing for {host})");
            // Two variables may name one file.
            if !looked.contains(&nothing) {
                looked.push(nothing);
            }
        }
        if matches!(tries.last(), Some(Try::Stored(..))) {
            break;
        }
    }
    Ok(Place { tries, looked })
}

/// The registries that have an entry in any file, each with its source.
pub(super) fn known(env: &Env) -> Result<Vec<(String, String)>> {
    let mut known: Vec<(String, String)> = Vec::new();
    for source in sources(env) {
        let Some((file, name)) = source.read()? else { continue };
        let keys = file.auths.keys().chain(file.helpers.keys()).map(|key| files::normal(key));
        for host in keys.map(|key| if is_hub(&key) { HUB.to_owned() } else { key }) {
            if !known.iter().any(|(other, _)| *other == host) {
                known.push((host, name.clone()));
            }
        }
        if let Some(store) = &file.store {
            known.push(("others that the helper knows".into(), format!("docker-credential-{store}, named in {name}")));
        }
    }
    Ok(known)
}

/// What one file has for a repository: helpers first, as docker asks them.
fn in_file(file: &AuthFile, name: &str, host: &str, repository: &str, tries: &mut Vec<Try>) -> Result<()> {
    let fits = |key: &str| {
        let key = files::normal(key);
        key == host || host == HUB && is_hub(&key)
    };
    let own = file.helpers.iter().find(|(key, _)| fits(key)).map(|(_, helper)| helper);
    let server = if host == HUB { HUB_KEY } else { host };
    for helper in own.into_iter().chain(&file.store).filter(|helper| !helper.is_empty()) {
        let program = format!("docker-credential-{helper}");
        tries.push(Try::Helper { program, server: server.into(), source: name.into() });
    }
    // `HOST/TEAM/APP`, then `HOST/TEAM`, then `HOST`.
    let whole = format!("{host}/{repository}");
    let mut wanted = Some(whole.as_str());
    while let Some(key) = wanted {
        let entries = file.auths.iter().filter(|(entry, _)| {
            let entry = files::normal(entry);
            entry == key || key == HUB && is_hub(&entry)
        });
        for (entry, auth) in entries {
            if let Some(credentials) = auth.credentials(entry, name)? {
                tries.push(Try::Stored(credentials, format!("{entry} in {name}")));
                return Ok(());
            }
        }
        wanted = key.rsplit_once('/').map(|(before, _)| before);
    }
    Ok(())
}

fn is_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io")
}

/// A file, or a variable, that may have credentials.
enum Source {
    Text(String),
    /// `named` by a variable, so that it must be there.
    File {
        path: PathBuf,
        named: Option<&'static str>,
    },
}

/// All of them, in the order in which they count.
/// <https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>
fn sources(env: &Env) -> Vec<Source> {
    let file = |path: PathBuf| Source::File { path, named: None };
    let mut sources = Vec::new();
    sources.extend(env.get(DOCKER_AUTH_CONFIG).map(|text| Source::Text(text.into())));
    let named = env.get(REGISTRY_AUTH_FILE);
    sources.extend(named.map(|path| Source::File { path: path.into(), named: Some(REGISTRY_AUTH_FILE) }));
    sources.extend(env.get(DOCKER_CONFIG).map(|folder| file(PathBuf::from(folder).join("config.json"))));
    let of_containers = |folder: PathBuf| file(folder.join("containers/auth.json"));
    sources.extend(env.get(RUNTIME_DIR).map(|folder| of_containers(folder.into())));
    sources.extend(env.get(CONFIG_HOME).map(PathBuf::from).or(env.home(".config")).map(of_containers));
    if env.get(DOCKER_CONFIG).is_none() {
        sources.extend(env.home(".docker/config.json").map(file));
    }
    sources
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Text(_) => format!("the variable {DOCKER_AUTH_CONFIG}"),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// Its contents, and its name; `None` if it does not exist.
    fn read(&self) -> Result<Option<(AuthFile, String)>> {
        let name = self.name();
        let found = match self {
            Self::Text(text) => Some(files::parse(text, &name)?),
            Self::File { path, named } => match (files::read(path)?, named) {
                (None, Some(variable)) => {
                    let message = format!("{name} is not there; {variable} names it");
                    return Err(
                        Error::new(Kind::Config, message).hint("create it with `skopeo login`, or unset the variable")
                    );
                }
                (found, _) => found,
            },
        };
        Ok(found.map(|file| (file, name)))
    }
}
