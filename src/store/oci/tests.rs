//! The calls against a registry and a token server of the test's own, which count what they are asked.

mod products;
mod referrers;
mod tokens;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use futures_util::future::join_all;
use secrecy::ExposeSecret;

use super::*;
use crate::settings::Env;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One request, as it came.
#[derive(Clone, Debug)]
struct Asked {
    /// `GET /v2/app/tags/list?n=1000`
    line: String,
    authorization: String,
    accept: String,
    body: String,
}

/// Status, headers and body.
type Told = (u16, Vec<(&'static str, String)>, String);

/// A server on this machine that answers as a test says.
#[derive(Clone)]
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` gets the address of the server, too.
    fn start(answer: impl Fn(&str, &Asked) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url: url.clone(), asked: Arc::default() };
        let (asked, answer) = (Arc::clone(&server.asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answer, url) = (Arc::clone(&asked), Arc::clone(&answer), url.clone());
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    asked.lock().unwrap().push(request.clone());
                    let (status, headers, body) = answer(&url, &request);
                    write(stream, &request, status, &headers, &body);
                });
            }
        });
        server
    }

    /// The lines of all requests so far.
    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }

    /// The same without those that show what the registry is.
    fn lines_of_protocol(&self) -> Vec<String> {
        let shows = ["GET /v2/_oci/ext/discover", "GET /api/v2.0/ping", "GET /acr/v1/_catalog?n=1"];
        self.lines().into_iter().filter(|line| !shows.contains(&line.as_str())).collect()
    }

    fn count(&self, beginning: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// The repository `app` there, with these credentials.
    async fn open(&self, credentials: oci::Credentials) -> Oci {
        self.named("registry.example.com", credentials).await
    }

    async fn named(&self, host: &str, credentials: oci::Credentials) -> Oci {
        let endpoint = self.url.parse().unwrap();
        let registry = Registry::new(host.into(), endpoint, credentials, None, None, Duration::from_secs(9)).unwrap();
        let store = StoreRef::of(crate::image::Provider::Oci).with_region(host).with_name("app");
        Oci::new(Arc::new(Opened::of(registry, Arc::default())), &store)
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut asked = Asked {
        line: line.trim().trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: String::new(),
        accept: String::new(),
        body: String::new(),
    };
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.authorization = value.into(),
            "accept" => asked.accept = value.into(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}

fn write(mut stream: TcpStream, asked: &Asked, status: u16, headers: &[(&str, String)], body: &str) {
    let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    let body = if asked.line.starts_with("HEAD") { "" } else { body };
    let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes());
}

fn me() -> oci::Credentials {
    oci::Credentials::Password { user: "me".into(), password: "the-password".to_owned().into() }
}

fn found() -> Told {
    (200, vec![("docker-content-digest", DIGEST.into()), ("content-type", INDEX.into())], "x".into())
}

fn says(status: u16, code: &str) -> Told {
    (status, Vec::new(), format!(r#"{{"errors":[{{"code":"{code}","message":"as it says"}}]}}"#))
}

/// A registry that wants a token for what the method needs; its tokens are `TOKEN-N`, with this life and these rights.
fn guarded(life: &'static str, rights: &'static str) -> Server {
    let given = Mutex::new(0);
    Server::start(move |url, asked| {
        if asked.line.contains("/token") {
            let mut given = given.lock().unwrap();
            *given += 1;
            return (200, Vec::new(), format!(r#"{{"token":"TOKEN-{given}-{rights}"{life}}}"#));
        }
        let right = if asked.line.starts_with("DELETE") { "delete" } else { "pull" };
        match asked.authorization.starts_with("Bearer TOKEN-") && asked.authorization.contains(right) {
            true => found(),
            false => {
                let challenge = format!(r#"Bearer realm="{url}/token",service="reg",scope="repository:app:{right}""#);
                (401, vec![("www-authenticate", challenge)], String::new())
            }
        }
    })
}

fn tag(name: &str) -> Vec<ImageId> {
    vec![ImageId::Tag(name.into())]
}

/// The kind of an error of a call, whether it is about the call or about its item.
fn kind<I, T>(answer: Result<Answer<I, T>>) -> Kind {
    match answer {
        Err(error) => error.kind,
        Ok(Answer::Each(mut answers)) => answers.remove(0).1.err().expect("a refusal").kind,
        Ok(Answer::All(_)) => panic!("a success"),
    }
}

#[tokio::test]
async fn a_refusal_means_what_its_status_says() {
    let digest = || vec![ImageId::Digest(DIGEST.parse().unwrap())];
    for (told, expected) in [
        (says(404, "MANIFEST_UNKNOWN"), Kind::NotFound),
        (says(404, "NOT_FOUND"), Kind::NotFound),
        ((404, Vec::new(), "404 page not found".into()), Kind::NotFound),
        (says(400, "NAME_UNKNOWN"), Kind::NotFound),
        (says(405, "UNSUPPORTED"), Kind::Unsupported),
        ((405, Vec::new(), "Method not allowed".into()), Kind::Unsupported),
        (says(400, "UNSUPPORTED"), Kind::Unsupported),
        (says(405, "DENIED"), Kind::Protected),
        (says(405, "REGISTRY_DISALLOWED_OPERATION"), Kind::Protected),
        (says(412, "PRECONDITION"), Kind::Protected),
        (says(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT"), Kind::InUse),
        (says(400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE"), Kind::InUse),
        (says(409, "MANIFEST_INVALID"), Kind::Protected),
        (says(400, "DIGEST_INVALID"), Kind::Invalid),
        (says(403, "DENIED"), Kind::Denied),
        (says(429, "TOOMANYREQUESTS"), Kind::Throttled),
        (says(500, "UNKNOWN"), Kind::Lost),
        ((502, Vec::new(), "<html>bad gateway</html>".into()), Kind::Lost),
        ((307, vec![("location", "https://example.com".into())], String::new()), Kind::Config),
    ] {
        let shown = format!("{told:?}");
        let server = Server::start(move |_, _| told.clone());
        assert_eq!(
            kind(server.open(me()).await.delete(&digest()).await.map(|receipt| receipt.said)),
            expected,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_how_long_to_wait_and_what_the_registry_needs_instead() {
    let server = Server::start(|_, _| {
        (
            429,
            Vec::new(),
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1500ms, allowed: 44000/minute"}]}"#.into(),
        )
    });
    let error = server.open(me()).await.list(None).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
    let server = Server::start(|_, _| (429, vec![("retry-after", "7".into())], String::new()));
    let error = server.open(me()).await.get(&tag("a")).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    for (host, hint) in [("ghcr.io", "gh api"), ("docker.io", "Docker Hub"), ("r.example.com", "enable deletion")] {
        let server = Server::start(|_, _| says(405, "UNSUPPORTED"));
        let store = server.named(host, me()).await;
        let error = store.delete(&[ImageId::Digest(DIGEST.parse().unwrap())]).await.unwrap_err();
        assert!(error.hint.as_ref().is_some_and(|said| said.contains(hint)), "{error:?}");
    }
}

#[tokio::test]
async fn one_tag_is_removed_alone_or_refused_for_good() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => (202, Vec::new(), String::new()),
        _ => found(),
    });
    let Answer::Each(answers) = server.open(me()).await.delete(&tag("v1")).await.unwrap().said else { panic!() };
    assert_eq!(answers[0].1, Ok(Deletion::Untagged(DIGEST.parse().unwrap())));
    let after = format!("HEAD /v2/app/manifests/{DIGEST}");
    assert_eq!(server.lines_of_protocol(), ["HEAD /v2/app/manifests/v1", "DELETE /v2/app/manifests/v1", &after]);
    // A registry that takes the image along must not be asked again.
    let server = Server::start(|_, asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => (202, Vec::new(), String::new()),
        line if line.contains("sha256:") => says(404, "MANIFEST_UNKNOWN"),
        _ => found(),
    });
    let error = server.open(me()).await.delete(&tag("v1")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Unreadable, Some("ImageDeletedWithTag")));
    let server = Server::start(|_, asked| match asked.line.as_str() {
        line if line.starts_with("DELETE") => says(400, "DIGEST_INVALID"),
        _ => found(),
    });
    let store = server.open(me()).await;
    for _ in 0..3 {
        assert_eq!(kind(store.delete(&tag("v1")).await.map(|receipt| receipt.said)), Kind::Protected);
    }
    assert_eq!(server.count("DELETE"), 1);
}

#[tokio::test]
async fn a_digest_that_the_answer_leaves_out_is_computed_and_a_wrong_one_is_noticed() {
    let body = r#"{"schemaVersion":2}"#;
    let server = Server::start(move |_, _| (200, vec![("content-type", INDEX.into())], body.into()));
    let store = server.open(me()).await;
    let Answer::Each(answers) = store.get(&tag("v1")).await.unwrap() else { panic!() };
    let digest = Digest::sha256_of(body.as_bytes());
    assert_eq!(answers[0].1.as_ref().unwrap().digest(), Some(digest.clone()));
    store.manifests(&[ImageId::Digest(digest)]).await.unwrap();
    let error = store.manifests(&[ImageId::Digest(DIGEST.parse().unwrap())]).await.err();
    // Nothing has the digest of nothing but nothing.
    assert!(error.is_some_and(|error| error.kind == Kind::Unreadable));
}

#[tokio::test]
async fn pages_are_followed_within_the_registry_alone() {
    let server = Server::start(|_, asked| match asked.line.contains("last=") {
        false => (
            200,
            vec![("link", "<https://evil.example.com/v2/app/tags/list?last=b&n=2>; rel=\"next\"".into())],
            r#"{"name":"app","tags":["a","b"]}"#.into(),
        ),
        true => (200, Vec::new(), r#"{"name":"app","tags":null}"#.into()),
    });
    let store = server.open(me()).await;
    let page = store.list(None).await.unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("last=b&n=2")));
    let page = store.list(page.next.as_deref()).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
    assert_eq!(server.lines_of_protocol(), ["GET /v2/app/tags/list?n=1000", "GET /v2/app/tags/list?last=b&n=2"]);
}

#[tokio::test]
async fn helpers_and_files_are_read_through_the_settings() {
    let server = Server::start(|_, _| found());
    let env = Env::of([("IMGCTL_OCI_ENDPOINT", server.url.as_str()), ("DOCKER_AUTH_CONFIG", "{}")], None);
    let settings = Settings { env, ..Settings::default() };
    let store = "ghcr.io/o/app".parse().unwrap();
    let store = open(&settings, &Clients::default(), &Arc::default(), &store).await.unwrap();
    store.get(&tag("v1")).await.unwrap();
    assert_eq!(server.lines(), ["HEAD /v2/o/app/manifests/v1"]);
    assert!(matches!(store.opened.registry.credentials, oci::Credentials::Anonymous));
    let secret = me();
    let oci::Credentials::Password { password, .. } = &secret else { panic!() };
    assert!(!format!("{secret:?}").contains(password.expose_secret()));
}
