//! The store against the emulator, which checks what it is sent with code of its own.

mod calls;
mod login;

use std::time::Duration;

use super::*;
use crate::{
    image::Provider,
    sandbox::{
        Options, Sandbox, World,
        iam::{self, ACCESS_KEY, PASSWORD, REGION, SECRET_KEY, TOKEN, USER},
        workspace::Workspace as Emulator,
    },
    settings::{self, DeletionFlags, Env},
};

type Variables<'v> = &'v [(&'v str, &'v str)];

const WITH_TOKEN: Variables = &[("HW_AUTH_TOKEN", TOKEN)];
const WITH_PASSWORD: Variables =
    &[("HW_USER_NAME", USER), ("HW_USER_PASSWORD", PASSWORD), ("HW_DOMAIN_NAME", iam::DOMAIN)];
const WITH_KEYS: Variables = &[("HUAWEICLOUD_SDK_AK", ACCESS_KEY), ("HUAWEICLOUD_SDK_SK", SECRET_KEY)];
const WAYS: [Variables; 3] = [WITH_TOKEN, WITH_PASSWORD, WITH_KEYS];

async fn start(workspace: Emulator) -> Sandbox {
    let world = World { workspace, ..World::default() };
    Sandbox::start(world, Options::default()).await.unwrap()
}

/// An emulator with these servers, whose jobs end at once.
async fn start_with(ids: &[&str]) -> Sandbox {
    let mut workspace = Emulator::default();
    workspace.job_time = Duration::ZERO;
    for id in ids {
        workspace.region(REGION).add(id, Utc::now());
    }
    start(workspace).await
}

fn settings(sandbox: &Sandbox, variables: Variables<'_>) -> Settings {
    let url = sandbox.url();
    let endpoints =
        [("IMGCTL_WORKSPACE_ENDPOINT", url.as_str()), ("IMGCTL_IAM_ENDPOINT", &url), ("HW_REGION_NAME", REGION)];
    Settings {
        // What a test says comes last, and so wins.
        env: Env::of(endpoints.iter().chain(variables).copied(), None),
        timeout: Duration::from_secs(5),
        ..Settings::default()
    }
}

fn anywhere() -> StoreRef {
    StoreRef::of(Provider::Workspace)
}

async fn open_with(sandbox: &Sandbox, variables: Variables<'_>) -> Result<Workspace> {
    open(&settings(sandbox, variables), &Default::default(), &anywhere()).await
}

fn named(ids: &[&str]) -> Vec<ImageId> {
    ids.iter().map(|id| ImageId::Named((*id).into())).collect()
}

/// The operations that the emulator saw, each with its HTTP status.
fn seen(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.calls().into_iter();
    calls.map(|call| format!("{} {}", call.operation, call.status.unwrap_or_default())).collect()
}

const LOGIN: &str = "KeystoneCreateUserTokenByPassword 201";
const LISTED: &str = "ListImageServers 200";
