//! What is logged and said while calls to Huawei Cloud go well and badly. In a program of its own, because a log is of a
//! whole program.

use std::{
    io,
    sync::{Arc, Mutex},
};

use chrono::Utc;
use imgctl::{
    image::{ImageId, Provider, StoreRef},
    sandbox::{
        Options, Sandbox, World,
        iam::{ACCESS_KEY, DOMAIN, PASSWORD, REGION, SECRET_KEY, TOKEN, USER},
    },
    settings::{Env, Settings},
    store::{ImageStore, workspace},
};
use tracing_subscriber::fmt::MakeWriter;

type Variables<'v> = &'v [(&'v str, &'v str)];

const WITH_TOKEN: Variables = &[("HW_AUTH_TOKEN", TOKEN)];
const WITH_PASSWORD: Variables = &[("HW_USER_NAME", USER), ("HW_USER_PASSWORD", PASSWORD), ("HW_DOMAIN_NAME", DOMAIN)];
const WITH_KEYS: Variables = &[("HUAWEICLOUD_SDK_AK", ACCESS_KEY), ("HUAWEICLOUD_SDK_SK", SECRET_KEY)];
const WITH_TEMPORARY_KEYS: Variables =
    &[("HW_ACCESS_KEY", "temporary"), ("HW_SECRET_KEY", "secret-of-key"), ("HW_SECURITY_TOKEN", "session-token")];

/// What the program logs at the most verbose level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level_or_told_in_an_error() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut told = String::new();
    for variables in [WITH_TOKEN, WITH_PASSWORD, WITH_KEYS, WITH_TEMPORARY_KEYS] {
        told += &run(variables).await;
    }
    told += &String::from_utf8_lossy(&log.0.lock().unwrap());
    for said in ["KeystoneCreateUserTokenByPassword", "BatchDeleteImageServer", " ms", "APIGW.0301"] {
        assert!(told.contains(said), "{said}");
    }
    let secrets = [TOKEN, PASSWORD, SECRET_KEY, "secret-of-key", "session-token", "MIISandboxToken", "Signature="];
    for secret in secrets {
        assert!(!told.contains(secret), "{secret}");
    }
}

/// Calls that work and one that is refused; what the refusal says.
async fn run(variables: Variables<'_>) -> String {
    let mut world = World::default();
    world.workspace.region(REGION).add("1", Utc::now());
    let iam = &mut world.workspace.iam;
    iam.add_key("temporary", "secret-of-key", Some("session-token"));
    let sandbox = Sandbox::start(world, Options::default()).await.unwrap();
    let url = sandbox.url();
    let endpoints =
        [("IMGCTL_WORKSPACE_ENDPOINT", url.as_str()), ("IMGCTL_IAM_ENDPOINT", &url), ("HW_REGION_NAME", REGION)];
    let settings = Settings { env: Env::of(endpoints.iter().chain(variables).copied(), None), ..Settings::default() };
    let store = StoreRef::of(Provider::Workspace);
    let store = workspace::open(&settings, &Default::default(), &store).await.unwrap();
    store.list(None).await.unwrap();
    store.delete(&[ImageId::Named("1".into())]).await.unwrap();
    sandbox.add_fault("workspace:ListImageServers:status=401".parse().unwrap());
    let error = store.list(None).await.unwrap_err();
    format!("{error} {error:?}")
}
