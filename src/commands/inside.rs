//! The environment of a command that runs in the sandbox.

use std::{ffi::OsString, path::Path};

use tokio::process::Command;

use crate::{sandbox::Sandbox, settings};

/// Variables that would give a tool other credentials, another endpoint or another output format than the sandbox does.
pub(super) fn cleared(set: &[(&str, String)]) -> impl Iterator<Item = &'static str> {
    let read = settings::variables().chain(["IMGCTL_OUTPUT"]);
    read.filter(|name| !set.iter().any(|(known, _)| known == name))
}

pub(super) fn variables(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let mut variables = sandbox.environment();
    // The providers' own tools would use a proxy even for this machine.
    variables.push(("NO_PROXY", "127.0.0.1,localhost".into()));
    variables
}

/// A command that runs in the sandbox and finds this very program first.
pub(super) fn inside(sandbox: &Sandbox, program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    let variables = variables(sandbox);
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
