//! The environment of a command that runs in the sandbox.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::{sandbox::Sandbox, settings};

/// Variables that would give a tool other credentials, another endpoint or another output format than the sandbox does.
pub(super) fn cleared(set: &[(&str, String)]) -> impl Iterator<Item = &'static str> {
    let read = settings::variables().chain(["IMGCTL_OUTPUT"]);
    read.filter(|name| !set.iter().any(|(known, _)| known == name))
}

/// A folder for the records of runs in the sandbox, which end with it.
struct Records(PathBuf);

impl Records {
    fn new() -> io::Result<Self> {
        let name = format!("imgctl-sandbox-{:016x}", RandomState::new().hash_one(std::process::id()));
        let folder = std::env::temp_dir().join(name);
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self(folder))
    }
}

/// The file with the logins of registries, as docker and skopeo read it.
const LOGINS: &str = "config.json";

impl Place {
    pub fn new(sandbox: Sandbox) -> io::Result<Self> {
        let records = Records::new()?;
        fs::write(records.0.join(LOGINS), sandbox.logins().to_string())?;
        Ok(Self { sandbox, records })
    }

    /// A folder that ends with the sandbox.
    pub fn folder(&self) -> &Path {
        &self.records.0
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A sandbox, and what belongs to its runs.
pub(super) struct Place {
    pub sandbox: Sandbox,
    records: Records,
}

pub(super) fn variables(place: &Place) -> Vec<(&'static str, String)> {
    let mut variables = place.sandbox.environment();
    let folder = place.folder();
    variables.push(("IMGCTL_SANDBOX", place.sandbox.url()));
    variables.push(("SANDBOX_REGISTRY", place.sandbox.registry()));
    variables.push(("IMGCTL_STATE_DIR", folder.display().to_string()));
    variables.push(("DOCKER_CONFIG", folder.display().to_string()));
    variables.push(("REGISTRY_AUTH_FILE", folder.join(LOGINS).display().to_string()));
    // The providers' own tools would use a proxy even for this machine; some read one name, some the other.
    variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, "127.0.0.1,localhost".into())));
    variables
}

/// A command that runs in the sandbox and finds this very program first.
pub(super) fn inside(place: &Place, program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    let variables = variables(place);
    for name in cleared(&variables) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables);
    let own = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))) {
        command.env("PATH", path);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_provider_reaches_the_command_but_what_the_sandbox_sets() {
        let cleared: Vec<_> = cleared(&[("AWS_REGION", "eu-west-1".into())]).collect();
        for name in ["HW_SECRET_KEY", "OS_PASSWORD", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "IMGCTL_OUTPUT"] {
            assert!(cleared.contains(&name), "{name}");
        }
        assert!(!cleared.contains(&"AWS_REGION"));
    }
}
