use std::fs;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::{checkup::State, image::Provider, settings::Env};

const DOCKER: &str = ".docker/config.json";
const PODMAN: &str = ".config/containers/auth.json";

/// `me:pw` and `you:pw:with:colons`.
const ME: &str = "bWU6cHc=";
const YOU: &str = "eW91OnB3OndpdGg6Y29sb25z";

struct World {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        for (path, text) in files {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { home, variables: Vec::new() }
    }

    /// With a variable; `~` in it is the home folder.
    fn with(mut self, name: &str, value: &str) -> Self {
        let value = value.replace('~', &self.home.path().display().to_string());
        self.variables.push((name.into(), value));
        self
    }

    fn settings(&self) -> Settings {
        let variables = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Settings { env: Env::of(variables, Some(self.home.path().into())), ..Settings::default() }
    }

    fn oci(&self, store: &str) -> Result<Oci> {
        Oci::load(&self.settings(), &store.parse().unwrap())
    }

    /// In one line, what was found for a repository and where.
    async fn found(&self, store: &str) -> String {
        match self.try_found(store).await {
            Ok(found) => found,
            Err(error) => format!("error: {error}"),
        }
    }

    async fn try_found(&self, store: &str) -> Result<String> {
        let settings = self.settings();
        let found = self.oci(store)?.place.read(&settings.env, settings.timeout).await?;
        let credentials = match &found.credentials {
            Credentials::Anonymous => return Ok("anonymous".into()),
            Credentials::Password { user, password } => format!("{user} {}", password.expose_secret()),
            Credentials::Identity(token) => format!("identity {}", token.expose_secret()),
            Credentials::Token(token) => format!("token {}", token.expose_secret()),
        };
        let home = self.home.path().display().to_string();
        Ok(format!("{credentials}, {}", found.source.unwrap().replace(&home, "~")))
    }

    /// Installs a helper: a script of the shell.
    #[cfg(unix)]
    fn helper(self, name: &str, script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = self.home.path().join(format!("bin/docker-credential-{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        self.with("PATH", "~/bin:/bin:/usr/bin")
    }
}

#[tokio::test]
async fn each_form_of_an_entry_is_read() {
    for (entry, found) in [
        (format!(r#"{{"auth":"{ME}"}}"#), "me pw"),
        (format!(r#"{{"auth":"{YOU}"}}"#), "you pw:with:colons"),
        (r#"{"auth":"bWU6cHc"}"#.into(), "me pw"),
        (r#"{"username":"me","password":"pw"}"#.into(), "me pw"),
        (format!(r#"{{"auth":"{ME}","identitytoken":"it"}}"#), "identity it"),
        (r#"{"username":"<token>","password":"it"}"#.into(), "identity it"),
        (r#"{"registrytoken":"rt"}"#.into(), "token rt"),
    ] {
        let world = World::new(&[(DOCKER, &format!(r#"{{"auths":{{"ghcr.io":{entry}}}}}"#))]);
        assert_eq!(world.found("ghcr.io/o/app").await, format!("{found}, ghcr.io in ~/{DOCKER}"), "{entry}");
        assert_eq!(world.found("quay.io/o/app").await, "anonymous");
    }
    let empty = World::new(&[(DOCKER, r#"{"auths":{"ghcr.io":{}}}"#)]);
    assert_eq!(empty.found("ghcr.io/o/app").await, "anonymous");
}

#[tokio::test]
async fn broken_entries_and_files_are_errors_that_repeat_no_secret() {
    for (text, says) in [
        (r#"{"auths":{"ghcr.io":{"auth":"hunter2!"}}}"#, "is not base64"),
        (r#"{"auths":{"ghcr.io":{"auth":"aHVudGVyMg=="}}}"#, "has no colon"),
        (r#"{"auths":{"ghcr.io":{"password":"hunter2"}}}"#, "the user is missing"),
        (r#"{"auths":{"ghcr.io":{"username":"hunter2"}}}"#, "the password is missing"),
        (r#"{"auths":{"ghcr.io":"hunter2"}}"#, "a field of an unexpected kind, at line 1"),
        (r#"{"auths":{"ghcr.io":{"auth":"hunter2"}"#, "is not JSON"),
    ] {
        let found = World::new(&[(DOCKER, text)]).found("ghcr.io/o/app").await;
        assert!(found.contains(says) && !found.contains("hunter2"), "{found}");
    }
    // Another registry's entry does no harm.
    let other = World::new(&[(DOCKER, r#"{"auths":{"ghcr.io":{"auth":"!"}}}"#)]);
    assert_eq!(other.found("quay.io/o/app").await, "anonymous");
}

#[tokio::test]
async fn keys_are_found_in_the_forms_that_tools_write() {
    for (key, store) in [
        ("https://index.docker.io/v1/", "docker.io/library/app"),
        ("docker.io", "docker.io/library/app"),
        ("index.docker.io", "index.docker.io/library/app"),
        ("docker.io/library", "docker.io/library/app"),
        ("https://ghcr.io", "ghcr.io/o/app"),
        ("https://ghcr.io/v2/", "ghcr.io/o/app"),
        ("GHCR.io", "ghcr.io/o/app"),
        ("localhost:5000", "localhost:5000/app"),
        ("quay.io/team", "quay.io/team/app"),
        ("quay.io/team/app", "quay.io/team/app"),
    ] {
        let world = World::new(&[(DOCKER, &format!(r#"{{"auths":{{"{key}":{{"auth":"{ME}"}}}}}}"#))]);
        assert_eq!(world.found(store).await, format!("me pw, {key} in ~/{DOCKER}"));
    }
    let other = World::new(&[(
        DOCKER,
        &format!(r#"{{"auths":{{"quay.io/team":{{"auth":"{ME}"}},"ghcr.io:443":{{"auth":"{ME}"}}}}}}"#),
    )]);
    for store in
        ["quay.io/teams/app", "quay.io/app", "ghcr.io/o/app", "ghcr.io.evil.com/o/app", "docker.io/library/app"]
    {
        assert_eq!(other.found(store).await, "anonymous", "{store}");
    }
}

#[tokio::test]
async fn the_longest_namespace_and_the_first_file_count() {
    let entry = |user: &str| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!(r#"{{"auth":"{}"}}"#, BASE64_STANDARD.encode(format!("{user}:pw")))
    };
    let file = |user: &str| format!(r#"{{"auths":{{"quay.io":{},"quay.io/team":{}}}}}"#, entry(user), entry("team"));
    let (docker, podman, other) = (file("docker"), file("podman"), file("other"));
    let files = [(DOCKER, docker.as_str()), (PODMAN, podman.as_str()), ("auth.json", other.as_str())];
    let world = || World::new(&files);
    assert_eq!(world().found("quay.io/team/app").await, format!("team pw, quay.io/team in ~/{PODMAN}"));
    assert_eq!(world().found("quay.io/app").await, format!("podman pw, quay.io in ~/{PODMAN}"));
    let named = world().with("REGISTRY_AUTH_FILE", "~/auth.json");
    assert_eq!(named.found("quay.io/app").await, "other pw, quay.io in ~/auth.json");
    let named = world().with("DOCKER_CONFIG", "~/.docker");
    assert_eq!(named.found("quay.io/app").await, format!("docker pw, quay.io in ~/{DOCKER}"));
    let text = format!(r#"{{"auths":{{"quay.io":{}}}}}"#, entry("variable"));
    let named = world().with("DOCKER_AUTH_CONFIG", &text);
    assert_eq!(named.found("quay.io/app").await, "variable pw, quay.io in the variable DOCKER_AUTH_CONFIG");
    let runtime =
        World::new(&[("run/containers/auth.json", &podman), (PODMAN, &other)]).with("XDG_RUNTIME_DIR", "~/run");
    assert_eq!(runtime.found("quay.io/app").await, "podman pw, quay.io in ~/run/containers/auth.json");
    let absent = World::new(&files).with("REGISTRY_AUTH_FILE", "~/none.json");
    assert!(absent.found("quay.io/app").await.contains("none.json is not there; REGISTRY_AUTH_FILE names it"));
}

#[cfg(unix)]
#[tokio::test]
async fn helpers_are_asked_and_see_no_secret_of_others() {
    const PRINTS: &str = r#"read -r server
echo "$server ${HW_SECRET_KEY-none} ${DOCKER_AUTH_CONFIG-none} ${AWS_PROFILE-none}" > "${0%/*}/seen"
echo '{"ServerURL":"x","Username":"me","Secret":"of-helper"}'"#;
    let world = World::new(&[(DOCKER, r#"{"credHelpers":{"ghcr.io":"mine"},"auths":{"ghcr.io":{}}}"#)])
        .helper("mine", PRINTS)
        .with("HW_SECRET_KEY", "hunter2")
        .with("DOCKER_AUTH_CONFIG", "{}")
        .with("AWS_PROFILE", "dev");
    let place = format!("docker-credential-mine, named in ~/{DOCKER}");
    assert_eq!(world.found("ghcr.io/o/app").await, format!("me of-helper, {place}"));
    assert_eq!(fs::read_to_string(world.home.path().join("bin/seen")).unwrap(), "ghcr.io none none dev\n");
    // A helper for all registries; a token for a user; Docker Hub under its old name.
    let store = World::new(&[(DOCKER, r#"{"credsStore":"mine"}"#)]).helper(
        "mine",
        r#"read -r server; case "$server" in
https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"idt"}' ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac"#,
    );
    assert_eq!(store.found("docker.io/library/app").await, format!("identity idt, {place}"));
    assert_eq!(store.found("quay.io/o/app").await, "anonymous");
    // What a helper has not may be in the file.
    let both = World::new(&[(DOCKER, &format!(r#"{{"credsStore":"no","auths":{{"quay.io":{{"auth":"{ME}"}}}}}}"#))])
        .helper("no", "echo credentials not found in native keychain; exit 1");
    assert_eq!(both.found("quay.io/o/app").await, format!("me pw, quay.io in ~/{DOCKER}"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_helper_that_fails_is_an_error_and_its_output_stays_secret() {
    for (script, says) in [
        ("echo hunter2; exit 3", "failed: exit status: 3"),
        ("echo hunter2", "did not print credentials"),
        ("sleep 9; echo hunter2", "did not answer in 1 seconds"),
    ] {
        let world = World::new(&[(DOCKER, r#"{"credsStore":"bad"}"#)]).helper("bad", script);
        let place = world.oci("ghcr.io/o/app").unwrap().place;
        let error = place.read(&world.settings().env, std::time::Duration::from_secs(1)).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says) && !shown.contains("hunter2"), "{shown}");
        assert_eq!(error.kind, Kind::Auth);
    }
    let absent = World::new(&[(DOCKER, r#"{"credsStore":"absent"}"#)]).with("PATH", "/nowhere");
    assert!(absent.found("ghcr.io/o/app").await.contains("is not installed"));
    let path = World::new(&[(DOCKER, r#"{"credsStore":"/../../bin/sh"}"#)]);
    assert!(path.found("ghcr.io/o/app").await.contains("is not the name of a program"));
}

#[test]
fn plain_http_is_only_for_this_machine_and_a_test_endpoint_has_its_own_credentials() {
    let world = World::new(&[]);
    for (store, endpoint) in [
        ("ghcr.io/o/app", "https://ghcr.io/"),
        ("docker.io/library/app", "https://registry-1.docker.io/"),
        ("localhost:5000/app", "http://localhost:5000/"),
        ("127.0.0.1:5000/app", "http://127.0.0.1:5000/"),
        ("10.0.0.1:5000/app", "https://10.0.0.1:5000/"),
        ("localhost.evil.com/app", "https://localhost.evil.com/"),
    ] {
        assert_eq!(world.oci(store).unwrap().endpoint.as_str(), endpoint);
    }
    let file = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{ME}"}}}}}}"#);
    let elsewhere = World::new(&[(DOCKER, &file)]).with("IMGCTL_OCI_ENDPOINT", "http://127.0.0.1:9");
    let oci = elsewhere.oci("ghcr.io/o/app").unwrap();
    assert_eq!((oci.endpoint.as_str(), oci.place.key().as_str()), ("http://127.0.0.1:9/", ""));
    assert!(World::new(&[]).with("IMGCTL_OCI_ENDPOINT", "http://example.com").oci("ghcr.io/o/app").is_err());
}

#[test]
fn without_a_registry_a_checkup_names_those_with_credentials() {
    let look = |world: &World| {
        let mut checkup = Checkup::default();
        let looked = Oci::look_everywhere(&world.settings(), &mut checkup);
        (checkup, looked)
    };
    let (checkup, looked) = look(&World::new(&[]));
    assert!(checkup.any(State::Missing) && looked.is_err());
    assert!(Oci::load(&World::new(&[]).settings(), &Provider::Oci.whole()).is_err());
    let file = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{ME}"}},"ghcr.io":{{}}}}}}"#);
    let (checkup, looked) = look(&World::new(&[(DOCKER, &file)]));
    assert!(looked.is_ok());
    let known: Vec<_> = checkup.checks.iter().filter_map(|check| check.value.as_deref()).collect();
    assert_eq!(known, ["ghcr.io", "docker.io"]);
    assert!(!checkup.any(State::Missing));
}
