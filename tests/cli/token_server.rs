//! A token server for the real registry: it signs what its users may do, and keeps what it was asked.
//! <https://distribution.github.io/distribution/spec/auth/jwt/>

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use chrono::Utc;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::docker_registry::{PASSWORD, USER, certify};

/// A user that may pull alone, with the same password.
pub const READER: &str = "reader";

pub struct TokenServer {
    pub folder: TempDir,
    address: SocketAddr,
    /// The scopes that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl TokenServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), folder, asked: Arc::default() };
        let (files, asked) = (server.folder.path().to_owned(), Arc::clone(&server.asked));
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| answer(stream, &files, &asked));
        });
        server
    }

    pub fn realm(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The scopes that were asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, files: &Path, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let login = head
        .iter()
        .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("authorization")));
    let user = [USER, READER].into_iter().find(|user| {
        let login = login.and_then(|(_, value)| value.strip_prefix("Basic "));
        login == Some(&BASE64_STANDARD.encode(format!("{user}:{PASSWORD}")))
    });
    let query = first.split(' ').nth(1).and_then(|path| path.split_once('?')).map_or("", |(_, query)| query);
    let scopes = query.split('&').filter_map(|field| field.strip_prefix("scope="));
    let scopes: Vec<String> =
        scopes.map(|scope| scope.replace("%3A", ":").replace("%2C", ",").replace("%2F", "/")).collect();
    let (status, body) = match user {
        None => ("401 Unauthorized", json!({})),
        Some(user) => ("200 OK", json!({ "token": token(files, user, &scopes), "expires_in": 300 })),
    };
    asked.lock().unwrap().extend(scopes);
    let body = body.to_string();
    let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
}

/// A signed token for what a user may do of some scopes.
fn token(files: &Path, user: &str, scopes: &[String]) -> String {
    let access: Vec<Value> = scopes
        .iter()
        .filter_map(|scope| {
            let mut parts = scope.splitn(3, ':');
            let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
            let may = |action: &&str| user == USER || *action == "pull";
            let actions: Vec<&str> = actions.split(',').filter(may).collect();
            Some(json!({ "type": kind, "name": name, "actions": actions }))
        })
        .collect();
    let pem = fs::read_to_string(files.join("ca.crt")).unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let now = Utc::now().timestamp();
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [der] });
    let claims = json!({ "iss": "it", "sub": user, "aud": "reg", "exp": now + 300, "nbf": now - 5, "iat": now,
        "jti": format!("{now}"), "access": access });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let text: PathBuf = files.join("text");
    fs::write(&text, &signed).unwrap();
    let signature = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", "ca.key", "text"])
        .current_dir(files)
        .output()
        .unwrap();
    assert!(signature.status.success(), "{}", String::from_utf8_lossy(&signature.stderr));
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.stdout))
}
