//! A real registry, the program `docker-registry`, on a free port of this machine, and images that `skopeo` pushes there.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::token_server::TokenServer;

/// Only what the tests run is needed; without deletion a registry refuses it.
pub const DELETES: &str = "storage: {inmemory: {}, delete: {enabled: true}}";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub struct Registry {
    /// `127.0.0.1:PORT`
    pub host: String,
    folder: TempDir,
    process: Child,
}

/// The user of a registry with passwords.
pub const USER: &str = "sandbox";
pub const PASSWORD: &str = "sandbox-password";

/// That user in the form of `htpasswd -B -C 5`.
const HTPASSWD: &str = "sandbox:$2b$05$oi0sPKG2S0YKGWch9EhMWehVCmxmX41tgijJgGHbHw1VNX0Ru5rFS\n";

impl Registry {
    /// Starts a registry with these lines of configuration; `None`, with a loud line, where the programs are missing.
    pub fn start(configuration: &str) -> Option<Self> {
        Self::start_in(tempfile::tempdir().unwrap(), "addr: \"127.0.0.1:0\"", configuration)
    }

    /// At an IPv6 address of this machine.
    pub fn at_ipv6(configuration: &str) -> Option<Self> {
        Self::start_in(tempfile::tempdir().unwrap(), "addr: \"[::1]:0\"", configuration)
    }

    /// With a certificate that its own authority signed: `ca.crt` in its folder.
    pub fn with_tls(configuration: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let (certificate, key) = (folder.path().join("own.pem"), folder.path().join("own.key"));
        let tls = format!("tls: {{certificate: {}, key: {}}}", certificate.display(), key.display());
        Self::start_in(folder, &format!("addr: \"127.0.0.1:0\", {tls}"), configuration)
    }

    /// With a certificate that it signed itself, for these days from now, as the documents of registries make one.
    pub fn with_own_certificate(names: &str, days: &str, configuration: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let names = format!("basicConstraints=critical,CA:TRUE\nsubjectAltName={names}\n");
        fs::write(folder.path().join("names"), names).unwrap();
        openssl(folder.path(), "req -newkey rsa:2048 -nodes -keyout own.key -out own.csr -subj /CN=registry");
        let sign = format!("x509 -req -in own.csr -signkey own.key -days {days} -extfile names -out own.pem");
        openssl(folder.path(), &sign);
        let (certificate, key) = (folder.path().join("own.pem"), folder.path().join("own.key"));
        let tls = format!("tls: {{certificate: {}, key: {}}}", certificate.display(), key.display());
        Self::start_in(folder, &format!("addr: \"127.0.0.1:0\", {tls}"), configuration)
    }

    /// With a user who needs a password.
    pub fn with_passwords(configuration: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("htpasswd");
        fs::write(&file, HTPASSWD).unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: its-realm, path: {}}}}}", file.display());
        Self::start_in(folder, "addr: \"127.0.0.1:0\"", &format!("{configuration}\n{auth}"))
    }

    /// That takes the tokens of this server.
    pub fn with_tokens(server: &TokenServer, configuration: &str) -> Option<Self> {
        let (realm, certificate) = (server.realm(), server.folder.path().join("ca.crt"));
        let token = format!("realm: \"{realm}\", service: reg, issuer: it, rootcertbundle: {}", certificate.display());
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, "addr: \"127.0.0.1:0\"", &format!("{configuration}\nauth: {{token: {{{token}}}}}"))
    }

    fn start_in(folder: TempDir, http: &str, configuration: &str) -> Option<Self> {
        for program in ["docker-registry", "skopeo"] {
            let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if found.is_err() {
                assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
                let _ = writeln!(io::stderr(), "skipped: tests with a real registry: there is no {program} here");
                return None;
            }
        }
        let file = folder.path().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\nhttp: {{{http}}}\n{configuration}\n"
        );
        fs::write(&file, text).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let host = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the registry ended");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ', ',']).next().unwrap().trim().to_owned();
            }
        };
        // Nobody else reads it, and a full pipe would stop the registry.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Self { host, folder, process })
    }

    /// Another server, NORA, where `IMGCTL_NORA` names its program.
    /// <https://crates.io/crates/nora-registry>
    pub fn nora() -> Option<Self> {
        let program = std::env::var_os("IMGCTL_NORA")?;
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut process = Command::new(program)
            .arg("serve")
            .current_dir(folder.path())
            .env_clear()
            // Without proxies, what is not there is not looked for elsewhere.
            .envs([("NORA_DOCKER_PROXIES", ""), ("NORA_HOST", "127.0.0.1"), ("NORA_STORAGE_PATH", "data")])
            .env("NORA_PORT", address.port().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(process.try_wait().unwrap().is_none() && begun.elapsed().as_secs() < 20, "NORA does not listen");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Some(Self { host: address.to_string(), folder, process })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The reference of something in this registry.
    pub fn at(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    pub fn skopeo(&self, arguments: &[&str]) -> Output {
        let home = self.folder.path();
        let output = Command::new("skopeo")
            .arg("--insecure-policy")
            .args(arguments)
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .output()
            .unwrap();
        assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Pushes a layout under these tags of a repository.
    pub fn push(&self, layout: &Layout, repository: &str, tags: &[&str]) {
        for tag in tags {
            let (from, to) = (
                format!("oci:{}:it", layout.folder.display()),
                format!("docker://{}", self.at(&format!("{repository}:{tag}"))),
            );
            let login = format!("--dest-creds={USER}:{PASSWORD}");
            self.skopeo(&["copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false", &login, &from, &to]);
        }
    }

    /// An image of these platforms, made of `word`: one for none, else an index.
    pub fn layout(&self, word: &str, platforms: &[&str]) -> Layout {
        let created = "2024-05-06T07:08:09Z";
        Layout::new(&self.folder.path().join(word), word, platforms, created)
    }

    /// Pulls everything under a name, on every platform.
    pub fn pulls(&self, rest: &str) {
        let (from, to) = (format!("docker://{}", self.at(rest)), tempfile::tempdir().unwrap());
        let to = format!("dir:{}", to.path().display());
        self.skopeo(&["inspect", "--raw", "--tls-verify=false", &from]);
        self.skopeo(&["copy", "--quiet", "--all", "--src-tls-verify=false", &from, &to]);
    }
}

/// Makes an authority, and a certificate for this machine that it signed.
pub fn certify(folder: &Path) {
    let names = "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n";
    fs::write(folder.join("names"), names).unwrap();
    openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=authority -days 2");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req {key} -keyout own.key -out own.csr -subj /CN=registry"));
    let sign = "x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out own.pem";
    openssl(folder, sign);
}

fn openssl(folder: &Path, words: &str) {
    let output = Command::new("openssl").args(words.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl is needed beside docker-registry");
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An image on disk, as the image specification lays it out.
pub struct Layout {
    folder: PathBuf,
    /// Of the image, or of the index.
    pub digest: String,
    /// Of the images of an index.
    pub children: Vec<String>,
}

impl Layout {
    fn new(folder: &Path, word: &str, platforms: &[&str], created: &str) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        let blob = |bytes: &[u8]| {
            let digits = hex::encode(Sha256::digest(bytes));
            fs::write(folder.join("blobs/sha256").join(&digits), bytes).unwrap();
            format!("sha256:{digits}")
        };
        let write = |value: &Value| {
            let bytes = serde_json::to_vec(value).unwrap();
            (blob(&bytes), bytes.len())
        };
        let image = |platform: &str| {
            let (os, architecture) = platform.split_once('/').unwrap();
            // An archive of nothing.
            let layer = vec![0; 1024];
            let diff = blob(&layer);
            let config = json!({"created": created, "os": os, "architecture": architecture,
                "config": {"Labels": {"word": word}}, "rootfs": {"type": "layers", "diff_ids": [diff]}});
            let (config, size) = write(&config);
            let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": diff, "size": layer.len()}]});
            let (digest, size) = write(&manifest);
            json!({"mediaType": MANIFEST, "digest": digest, "size": size,
                "platform": {"os": os, "architecture": architecture}})
        };
        let (top, children) = match platforms {
            [] => (image("linux/amd64"), Vec::new()),
            platforms => {
                let children: Vec<Value> = platforms.iter().map(|platform| image(platform)).collect();
                let (digest, size) = write(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}));
                (json!({"mediaType": INDEX, "digest": digest, "size": size}), children)
            }
        };
        let text = |descriptor: &Value| descriptor["digest"].as_str().unwrap().to_owned();
        let mut named = top.clone();
        named["annotations"] = json!({"org.opencontainers.image.ref.name": "it"});
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let index = json!({"schemaVersion": 2, "manifests": [named]});
        fs::write(folder.join("index.json"), index.to_string()).unwrap();
        Self { folder: folder.into(), digest: text(&top), children: children.iter().map(text).collect() }
    }
}
