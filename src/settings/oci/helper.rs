//! Runs the credential helpers of docker, which keep credentials in a keychain or fetch them from a cloud. What they print
//! is secret, and they see no secret that is not theirs.
//! <https://github.com/docker/docker-credential-helpers>

use std::{io::ErrorKind, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{Credentials, credentials::DOCKER_AUTH_CONFIG, files::login};
use crate::{
    error::{Error, Kind, Result},
    settings::Env,
};

/// What a helper says where it has no credentials for a registry.
/// <https://github.com/docker/docker-credential-helpers/blob/master/credentials/error.go>
const NOT_FOUND: &str = "credentials not found";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: String,
}

/// Asks a helper for the credentials of a server; `None` if it has none.
pub(super) async fn get(
    env: &Env,
    program: &str,
    server: &str,
    source: &str,
    timeout: Duration,
) -> Result<Option<Credentials>> {
    let failed = |why: String| {
        Error::new(Kind::Auth, format!("{program}, named in {source}, {why}"))
            .hint(format!("try `echo {server} | {program} get`"))
    };
    if program.contains(['/', '\\']) {
        return Err(failed("is not the name of a program".into()));
    }
    let mut command = Command::new(program);
    command.arg("get").env_clear().envs(env.without_secrets(&[DOCKER_AUTH_CONFIG]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed("is not installed".into()),
        kind => failed(format!("cannot be run: {kind}")),
    })?;
    let mut stdin = child.stdin.take();
    let ask = async move {
        if let Some(stdin) = &mut stdin {
            // It may end without reading.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(timeout, ask).await {
        Err(_) => return Err(failed(format!("did not answer in {} seconds", timeout.as_secs()))),
        Ok(output) => output.map_err(|error| failed(format!("cannot be read: {}", error.kind())))?,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        if said.trim().to_ascii_lowercase().starts_with(NOT_FOUND) {
            return Ok(None);
        }
        return Err(failed(format!("failed: {}", output.status)));
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|_| failed("did not print credentials".into()))?;
    match (answer.username.is_empty(), answer.secret.is_empty()) {
        (true, true) => Ok(None),
        _ => Ok(Some(login(&answer.username, &answer.secret))),
    }
}
