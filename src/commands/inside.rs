//! The environment of a command that runs in the sandbox.

use std::{ffi::OsString, path::Path};

use tokio::process::Command;

use crate::sandbox::Sandbox;

/// Variables that would lead a tool past the sandbox, or to other credentials than its own.
pub(super) const CLEARED: [&str; 23] = [
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "TENCENTCLOUD_TOKEN",
    "TENCENTCLOUD_SECURITY_TOKEN",
    "TENCENTCLOUD_SESSION_TOKEN",
    "TENCENTCLOUD_PROFILE",
    "TCCLI_PROFILE",
    "HW_AUTH_TOKEN",
    "OS_AUTH_TOKEN",
    "HW_PROJECT_ID",
    "HW_AUTH_URL",
    "OS_PROJECT_ID",
    "HW_PROJECT_NAME",
    "OS_PROJECT_NAME",
    "HW_USER_ID",
    "OS_USER_ID",
    "HW_DOMAIN_ID",
    "HUAWEICLOUD_SDK_PROJECT_ID",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    "HW_ENTERPRISE_PROJECT_ID",
    "IMGCTL_OUTPUT",
];

pub(super) fn variables(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let mut variables = sandbox.environment();
    // The providers' own tools would ask a proxy for this machine's own address.
    variables.push(("NO_PROXY", "127.0.0.1,localhost".into()));
    variables
}

/// A command that runs in the sandbox and finds this very program first.
pub(super) fn inside(sandbox: &Sandbox, program: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(program);
    for name in CLEARED {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables(sandbox));
    let own = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))) {
        command.env("PATH", path);
    }
    command
}
