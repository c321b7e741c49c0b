//! Logging in at a real Keystone, whose API Huawei's IAM shares: passwords, tokens that end, tokens that are revoked.
//! It runs in the virtual environment `keystone` of the folder that `IMGCTL_OFFICIAL_CLIENTS` names; without one this
//! test says that it did nothing. Image servers are the emulator's, which asks that Keystone about every token.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write, stderr},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use chrono::Utc;
use imgctl::{
    error::{Kind, Result},
    image::{Provider, StoreRef},
    sandbox::{Options, Sandbox, World},
    settings::{Env, Settings},
    store::{
        ImageStore,
        workspace::{self, Workspace},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Keystone's tokens live for so many seconds: short to wait for, and long beside what a busy machine takes for a call.
const LIFE: u64 = 12;

/// Longer than a token lives.
const AFTERWARDS: Duration = Duration::from_secs(LIFE + 1);

/// A Keystone with one account, for as long as this value lives.
struct Keystone {
    process: Child,
    account: Account,
    _folder: TempDir,
}

#[derive(Clone, Deserialize)]
struct Account {
    url: String,
    domain: String,
    user: String,
    user_id: String,
    password: String,
    region: String,
    project_id: String,
    admin_password: String,
}

impl Keystone {
    fn start(clients: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder for Keystone");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keystone/serve.py");
        let mut process = Command::new(clients.join("keystone/bin/python"))
            .args(["-B".as_ref(), script.as_os_str(), folder.path().as_os_str()])
            .arg(LIFE.to_string())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python");
        let mut line = String::new();
        let said = process.stdout.take().expect("its output");
        BufReader::new(said).read_line(&mut line).expect("a line");
        let account = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut wrong = String::new();
            let _ = process.stderr.take().expect("its errors").read_to_string(&mut wrong);
            panic!("Keystone did not start: {error}\n{wrong}")
        });
        Self { process, account, _folder: folder }
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// What Keystone answers: its status, the token in its headers, its body.
struct Answer {
    status: u16,
    token: Option<String>,
    body: Value,
}

impl Account {
    /// One call, blocking: the emulator asks from inside an answer.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let host = self.url.trim_start_matches("http://");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut stream = TcpStream::connect(host).expect("Keystone");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let token = lines.find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-subject-token").then(|| value.to_owned())
        });
        Answer { status: status.expect("a status"), token, body: serde_json::from_str(body).unwrap_or_default() }
    }

    fn log_in(&self, user: Value, scope: Value) -> String {
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": scope},
        }});
        let answer = self.ask("POST", "/v3/auth/tokens", &[], &body);
        answer.token.unwrap_or_else(|| panic!("{}", answer.body))
    }

    /// A token of the account, made by another program.
    fn token(&self) -> String {
        let user = json!({"id": self.user_id, "password": self.password});
        self.log_in(user, json!({"id": self.project_id}))
    }

    fn revoke(&self, token: &str) {
        let headers = [("X-Auth-Token", token), ("X-Subject-Token", token)];
        let answer = self.ask("DELETE", "/v3/auth/tokens", &headers, &Value::Null);
        assert_eq!(answer.status, 204);
    }

    /// Sets the password to what it is, which makes Keystone revoke every token of the user.
    async fn revoke_all(&self) {
        let domain = json!({"id": "default"});
        let admin = json!({"name": "admin", "domain": domain, "password": self.admin_password});
        let token = self.log_in(admin, json!({"name": "admin", "domain": domain}));
        let path = format!("/v3/users/{}", self.user_id);
        let body = json!({"user": {"password": self.password}});
        let answer = self.ask("PATCH", &path, &[("X-Auth-Token", &token)], &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        // Keystone counts in seconds, and a token of the same second is revoked too.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }

    /// The project that Keystone says a token is of.
    fn project_of(&self, token: &str) -> Option<String> {
        let headers = [("X-Auth-Token", token), ("X-Subject-Token", token)];
        let answer = self.ask("GET", "/v3/auth/tokens?nocatalog=true", &headers, &Value::Null);
        let project = answer.body.pointer("/token/project/id")?.as_str()?;
        (answer.status == 200).then(|| project.to_owned())
    }

    fn with_password<'a>(&'a self, password: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![("HW_USER_NAME", &self.user), ("HW_USER_PASSWORD", password), ("HW_DOMAIN_NAME", &self.domain)]
    }
}

/// Image servers in the project that Keystone knows, for callers that Keystone confirms.
struct Place {
    sandbox: Sandbox,
    account: Account,
}

impl Place {
    async fn with(account: &Account, servers: usize) -> Self {
        let mut world = World::default();
        let project = account.project_id.clone();
        let project = world.workspace.projects.entry(project).or_default();
        for number in 0..servers {
            project.add(&format!("6976{number:014}"), Utc::now());
        }
        let vouching = account.clone();
        world.workspace.iam.elsewhere = Some(Box::new(move |token| vouching.project_of(token)));
        let sandbox = Sandbox::start(world, Options::default()).await;
        Self { sandbox: sandbox.expect("a sandbox"), account: account.clone() }
    }

    fn environment(&self, credentials: &[(&str, &str)]) -> Vec<(String, String)> {
        let url = self.sandbox.url();
        let endpoints = [
            ("IMGCTL_IAM_ENDPOINT", self.account.url.as_str()),
            ("IMGCTL_WORKSPACE_ENDPOINT", &url),
            ("HW_REGION_NAME", &self.account.region),
        ];
        let all = endpoints.iter().chain(credentials);
        all.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    async fn open(&self, credentials: &[(&str, &str)]) -> Result<Workspace> {
        let environment = self.environment(credentials);
        let variables = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = Settings { env: Env::of(variables, None), ..Settings::default() };
        workspace::open(&settings, &Default::default(), &StoreRef::of(Provider::Workspace)).await
    }

    /// Runs the program itself.
    async fn run(&self, credentials: &[(&str, &str)], arguments: &[&str]) -> Output {
        let home = tempfile::tempdir().expect("a home");
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_imgctl"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .envs(self.environment(credentials))
            .stdin(Stdio::null());
        command.output().await.expect("imgctl")
    }

    /// The HTTP statuses of all calls so far.
    fn statuses(&self) -> Vec<u16> {
        let calls = self.sandbox.calls();
        calls.iter().filter_map(|call| call.status).collect()
    }
}

#[tokio::test]
async fn keystone_lets_in_who_should_come_in_and_for_as_long() {
    let Some(clients) = env::var_os("IMGCTL_OFFICIAL_CLIENTS").map(PathBuf::from) else {
        let _ = writeln!(stderr(), "skipped: Keystone: IMGCTL_OFFICIAL_CLIENTS names no folder of clients");
        return;
    };
    let keystone = Keystone::start(&clients);
    let account = &keystone.account;
    a_password_leads_to_the_project(account).await;
    a_wrong_password_stops_before_the_service_is_asked(account).await;
    a_token_that_was_revoked_is_renewed_once(account).await;
    // Each of these waits for a token to end.
    tokio::join!(
        a_token_is_renewed_before_it_ends(account),
        a_ready_token_is_good_until_it_ends_or_is_revoked(account),
        a_deletion_goes_on_over_the_end_of_a_token(account),
    );
}

async fn a_password_leads_to_the_project(account: &Account) {
    let place = Place::with(account, 3).await;
    let by_name = account.with_password(&account.password);
    let by_id = vec![
        ("OS_USER_ID", account.user_id.as_str()),
        ("OS_PASSWORD", &account.password),
        ("OS_PROJECT_ID", &account.project_id),
    ];
    for credentials in [by_name, by_id] {
        let store = place.open(&credentials).await.expect("a login");
        assert_eq!(store.home().owner.as_ref(), Some(&account.project_id));
        assert_eq!(store.list(None).await.expect("a page").items.len(), 3);
    }
}

async fn a_wrong_password_stops_before_the_service_is_asked(account: &Account) {
    let place = Place::with(account, 3).await;
    let wrong = account.with_password("not-the-password");
    let error = place.open(&wrong).await.err().expect("no login");
    assert_eq!(error.kind, Kind::Auth);
    // Keystone's own name for it.
    assert!(error.request_id.expect("an id").starts_with("req-"));
    let run = place.run(&wrong, &["delete", "workspace:69760", "--yes", "-vvv"]).await;
    let said = format!("{run:?}");
    assert_eq!(run.status.code(), Some(3), "{said}");
    assert!(!said.contains("not-the-password"), "{said}");
    assert!(place.statuses().is_empty());
}

async fn a_token_is_renewed_before_it_ends(account: &Account) {
    let place = Place::with(account, 3).await;
    let credentials = account.with_password(&account.password);
    let store = place.open(&credentials).await.expect("a login");
    store.list(None).await.expect("a page");
    tokio::time::sleep(AFTERWARDS).await;
    store.list(None).await.expect("a page");
    assert_eq!(place.statuses(), [200, 200]);
}

async fn a_token_that_was_revoked_is_renewed_once(account: &Account) {
    let place = Place::with(account, 3).await;
    let credentials = account.with_password(&account.password);
    let store = place.open(&credentials).await.expect("a login");
    account.revoke_all().await;
    store.list(None).await.expect("a page");
    assert_eq!(place.statuses(), [401, 200]);
}

async fn a_ready_token_is_good_until_it_ends_or_is_revoked(account: &Account) {
    for revoked in [true, false] {
        let place = Place::with(account, 3).await;
        let token = account.token();
        let credentials = [("OS_AUTH_TOKEN", token.as_str())];
        let store = place.open(&credentials).await.expect("a good token");
        assert_eq!(store.home().owner.as_ref(), Some(&account.project_id));
        store.list(None).await.expect("a page");
        if revoked {
            account.revoke(&token);
        } else {
            tokio::time::sleep(AFTERWARDS).await;
        }
        for _ in 0..2 {
            let error = store.list(None).await.expect_err("an end");
            assert_eq!(error.kind, Kind::Auth);
        }
        assert_eq!(place.statuses(), [200, 401]);
        let error = place.open(&credentials).await.err().expect("no more");
        assert_eq!(error.kind, Kind::Auth);
    }
}

async fn a_deletion_goes_on_over_the_end_of_a_token(account: &Account) {
    let place = Place::with(account, 3).await;
    place.sandbox.world().workspace.job_time = AFTERWARDS;
    let credentials = account.with_password(&account.password);
    let servers = ["workspace:697600000000000000", "workspace:697600000000000001"];
    let arguments = ["delete", servers[0], servers[1], "--yes", "-o", "json"];
    let run = place.run(&credentials, &arguments).await;
    let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!(report["summary"]["deleted"], 2, "{report}");
    assert_eq!(run.status.code(), Some(0));
    assert!(place.statuses().iter().all(|status| *status == 200));
    let world = place.sandbox.world();
    let project = &world.workspace.projects[&account.project_id];
    assert_eq!(project.servers.len(), 1);
}
