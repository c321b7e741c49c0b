//! What is found, and what is said where nothing is. The SDK reads the environment of its process, so each case is a
//! process of its own: this test binary again, with a cleared environment and a home folder of its own.

mod credentials;
mod endpoints;
mod regions;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;
use crate::{
    checkup::Check,
    image::ecr::HostKind,
    settings::Env,
    store::ecr::{call::describe, client},
};

const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT00001"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2-environment"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];
const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");

/// Five seconds are promised on a machine of one's own; test machines are busy.
const SOON: Duration = Duration::from_secs(10);

/// One process: its variables, its files, and what `load` is asked.
struct Case {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Case {
    fn new(variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let variables_of_home = vec![("HOME".into(), home.path().display().to_string())];
        let case = Self { variables: variables_of_home, home };
        case.with(variables)
    }

    fn with(self, variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(self, |case, (name, value)| case.set(name, value))
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".aws/config", text)
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.home.path().join(name), text).unwrap();
        self
    }

    /// What the process said, and how long it took.
    fn run(&self) -> (String, Duration) {
        self.run_with(&[])
    }

    fn run_with(&self, more: &[(&str, &std::ffi::OsStr)]) -> (String, Duration) {
        let said = self.home.path().join("said");
        let start = Instant::now();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "settings::aws::tests::one_process", "--ignored"])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("TEST_SAID", &said)
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let took = start.elapsed();
        let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        let said = std::fs::read_to_string(said).unwrap();
        assert!(!said.contains("hunter2"), "a secret is printed: {said}");
        (said, took)
    }

    fn says(&self) -> String {
        self.run().0
    }
}

/// Loads with what the variables `TEST_…` say, and calls the service where `TEST_CALL` is set.
#[tokio::test]
#[ignore = "the other tests run it, in a process of its own"]
async fn one_process() {
    let env = Env::from_process();
    let Some(said_to) = env.get("TEST_SAID") else {
        return;
    };
    let argument = |name: &str| env.get(name).map(str::to_owned);
    let settings = Settings {
        region: argument("TEST_FLAG_REGION"),
        profile: argument("TEST_PROFILE"),
        timeout: Duration::from_millis(argument("TEST_TIMEOUT").map_or(5000, |text| text.parse().unwrap())),
        env: env.clone(),
        ..Settings::default()
    };
    let host = HostKind { fips: env.get("TEST_FIPS").is_some(), dual_stack: env.get("TEST_DUAL_STACK").is_some() };
    let mut checkup = Checkup::default();
    let found = look(&settings, env.get("TEST_REGION"), &mut checkup).await;
    let mut said = match &found {
        Ok(aws) => format!(
            "{} from {}; {}; profile {:?}; endpoint {:?}; {:?}",
            aws.region,
            aws.region_from,
            aws.caller,
            aws.profile,
            aws.endpoint,
            client(aws, host).config()
        ),
        Err(error) => format!("{:?}: {error}; {:?}; {error:?}", error.kind, error.hint),
    };
    if env.get("TEST_CHECKS").is_some() {
        said = checkup.checks.iter().map(shown).collect();
    }
    if let (Ok(aws), true) = (found, env.get("TEST_CALL").is_some()) {
        let answer = client(&aws, host).describe_repositories().send().await;
        let error = describe("BatchDeleteImage", &answer.unwrap_err());
        said = format!("{:?}: {error}; {said}", error.kind);
    }
    std::fs::write(said_to, said).unwrap();
}

/// A check in one line.
fn shown(check: &Check) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (value, source, note) = (text(&check.value), text(&check.source), text(&check.note));
    format!("{:?} {:?}: {value} <{source}> {note}\n", check.check, check.state)
}

/// A server that says to each connection what `answer` makes of its first bytes, and reports those.
fn server(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (report, reported) = mpsc::channel();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 8192];
            let length = stream.read(&mut bytes).unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            match answer(&text) {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => silent.push(stream),
            }
            let _ = report.send(text);
        }
    });
    (address, reported)
}

fn http_answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}
