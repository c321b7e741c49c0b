//! The `oci:` registry beside distribution itself (Debian's `docker-registry`, 2.8.2): both get the same requests, and must
//! answer alike. Without that program this says that it did nothing.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write, stderr},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use imgctl::sandbox::{Options, Sandbox, World, ecr::digest::Digest};

/// distribution with its storage in memory, ended with the test.
struct Distribution {
    child: Child,
    host: String,
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Distribution {
    fn start(folder: &Path) -> Option<Self> {
        let (config, log) = (folder.join("config.yml"), folder.join("log"));
        let storage = "storage: {inmemory: {}, delete: {enabled: true}}";
        let text = format!("version: 0.1\nlog: {{level: info}}\n{storage}\nhttp: {{addr: \"127.0.0.1:0\"}}\n");
        fs::write(&config, text).expect("a configuration");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(fs::File::create(&log).expect("a log"));
        let child = command.spawn().ok()?;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if let Some((_, after)) = said.split_once("listening on 127.0.0.1:") {
                let port: String = after.chars().take_while(char::is_ascii_digit).collect();
                return Some(Self { child, host: format!("127.0.0.1:{port}") });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("docker-registry does not listen");
    }
}

/// What of an answer must be alike.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    /// The code of an error.
    code: String,
    headers: BTreeMap<String, String>,
    /// The body, where it is a listing or a manifest.
    body: String,
}

const COMPARED: [&str; 6] = ["docker-content-digest", "content-type", "etag", "link", "range", "oci-subject"];

/// Sends one request, and returns the answer with the place of an upload.
fn send(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (Answer, String) {
    let mut stream = TcpStream::connect(host).expect("a connection");
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let (head, body) = (String::from_utf8_lossy(&answer[..end]), String::from_utf8_lossy(&answer[end + 4..]));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let all: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let value: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let code = value["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
    let mut kept: BTreeMap<_, _> = all
        .iter()
        .filter(|(name, _)| COMPARED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // How JSON is declared says nothing.
    if kept.get("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        kept.remove("content-type");
    }
    if method == "HEAD" && status == 200 {
        kept.insert("content-length".into(), all.get("content-length").cloned().unwrap_or_default());
    }
    let body = match &value {
        _ if status != 200 => String::new(),
        serde_json::Value::Object(members) if members.contains_key("tags") => {
            let mut tags: Vec<_> = value["tags"].as_array().into_iter().flatten().map(ToString::to_string).collect();
            tags.sort();
            format!("{} {tags:?} {}", value["name"], value["tags"].is_null())
        }
        _ => body.trim_end().to_owned(),
    };
    let place = all.get("location").map(|place| place.replace(&format!("http://{host}"), "")).unwrap_or_default();
    (Answer { status, code, headers: kept, body }, place)
}

const ALL: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                   application/vnd.docker.distribution.manifest.v2+json, \
                   application/vnd.docker.distribution.manifest.list.v2+json";

/// The same requests to one registry; what it answered, with what was asked.
fn visit(host: &str) -> Vec<(String, Answer)> {
    let mut seen = Vec::new();
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let (answer, place) = send(host, method, path, headers, body);
        seen.push((format!("{method} {path} {headers:?}"), answer));
        place
    };
    let digest = |text: &str| Digest::of(text).to_string();
    ask("GET", "/v2/", &[], b"");
    ask("GET", "/v2/team/app/tags/list", &[("accept", ALL)], b"");

    // Blobs: whole, in pieces, with a wrong digest.
    let (config, layer) = ("{}", "a layer");
    for blob in [config, layer] {
        let place = send(host, "POST", "/v2/team/app/blobs/uploads/", &[], b"").1;
        let between = if place.contains('?') { '&' } else { '?' };
        let put = send(host, "PUT", &format!("{place}{between}digest={}", digest(blob)), &[], blob.as_bytes()).0;
        seen.push((format!("PUT {blob}"), put));
    }
    let place = send(host, "POST", "/v2/team/app/blobs/uploads/", &[], b"").1;
    let (piece, place) = send(host, "PATCH", &place, &[], b"0123");
    seen.push(("PATCH".into(), piece));
    let (piece, place) = send(host, "GET", &place, &[], b"");
    seen.push(("GET of an upload".into(), piece));
    let between = if place.contains('?') { '&' } else { '?' };
    let wrong = send(host, "PUT", &format!("{place}{between}digest={}", digest("other")), &[], b"").0;
    seen.push(("PUT with a wrong digest".into(), wrong));
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let (answer, _) = send(host, method, path, headers, body);
        seen.push((format!("{method} {path} {headers:?}"), answer));
    };
    let blob = |blob: &str| format!("/v2/team/app/blobs/{}", digest(blob));
    ask("HEAD", &blob(layer), &[], b"");
    ask("GET", &blob(layer), &[], b"");
    ask("GET", &blob("absent"), &[], b"");
    ask("POST", &format!("/v2/other/app/blobs/uploads/?mount={}&from=team/app", digest(layer)), &[], b"");

    // Manifests of both kinds, and indexes of both.
    let part = |kind: &str, text: &str| {
        format!(r#"{{"mediaType":"{kind}","digest":"{}","size":{}}}"#, digest(text), text.len())
    };
    let image = |kind: &str, config_kind: &str, layer_kind: &str| {
        let (config, layer) = (part(config_kind, config), part(layer_kind, layer));
        format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{config},"layers":[{layer}]}}"#)
    };
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let one = image(oci, "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip");
    let two = image(
        docker,
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    );
    let index = |kind: &str, of: &str, text: &str| {
        let entry = part(of, text).replace('}', r#","platform":{"architecture":"amd64","os":"linux"}}"#);
        format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":[{entry}]}}"#)
    };
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let oci_index = "application/vnd.oci.image.index.v1+json";
    let manifest = |reference: &str| format!("/v2/team/app/manifests/{reference}");
    let docker_list = index(list, docker, &two);
    let whole = index(oci_index, oci, &one);
    for (tag, kind, text) in [
        ("one", oci, &one),
        ("again", oci, &one),
        ("two", docker, &two),
        ("list", list, &docker_list),
        ("index", oci_index, &whole),
        ("broken", oci_index, &index(oci_index, oci, "absent")),
        ("wrong", oci, &two),
    ] {
        ask("PUT", &manifest(tag), &[("content-type", kind)], text.as_bytes());
    }
    ask("PUT", &manifest(&digest("other")), &[("content-type", oci)], one.as_bytes());
    ask("PUT", &manifest("-bad"), &[("content-type", oci)], one.as_bytes());
    for tag in ["one", "two", "list", "index", "absent"] {
        for accept in [ALL, docker, oci, "*/*"] {
            ask("HEAD", &manifest(tag), &[("accept", accept)], b"");
            ask("GET", &manifest(tag), &[("accept", accept)], b"");
        }
        ask("GET", &manifest(tag), &[], b"");
    }
    let etag = format!("\"{}\"", digest(&one));
    ask("GET", &manifest("one"), &[("accept", ALL), ("if-none-match", &etag)], b"");
    for reference in [digest(&one), digest(&docker_list), digest("absent")] {
        ask("HEAD", &manifest(&reference), &[("accept", docker)], b"");
        ask("GET", &manifest(&reference), &[("accept", ALL)], b"");
    }
    ask("GET", "/v2/absent/manifests/one", &[("accept", ALL)], b"");
    ask("GET", "/v2/Team/app/tags/list", &[], b"");
    ask("PUT", "/v2/Team/app/manifests/v1", &[("content-type", oci)], one.as_bytes());
    ask("GET", "/v2/team/app./tags/list", &[], b"");
    ask("GET", "/v2/team/-app/manifests/one", &[], b"");
    ask("GET", &format!("/v2/team/app/referrers/{}", digest(&one)), &[], b"");
    ask("GET", "/v2/team/app/tags/list?n=1&last=one", &[], b"");
    for query in ["", "?n=1", "?n=1&last=other/app", "?n=5000", "?n=many"] {
        ask("GET", &format!("/v2/_catalog{query}"), &[], b"");
    }

    // Deletions.
    ask("DELETE", &manifest("one"), &[], b"");
    ask("DELETE", &manifest("absent"), &[], b"");
    ask("DELETE", &manifest("sha256:no"), &[], b"");
    ask("DELETE", &manifest(&digest("absent")), &[], b"");
    ask("DELETE", &format!("/v2/absent/manifests/{}", digest("absent")), &[], b"");
    ask("DELETE", &manifest(&digest(&one)), &[("if-match", "\"sha256:bogus\"")], b"");
    ask("DELETE", &manifest(&digest(&one)), &[], b"");
    ask("HEAD", &manifest("again"), &[("accept", ALL)], b"");
    ask("HEAD", &manifest("index"), &[("accept", ALL)], b"");
    ask("GET", "/v2/team/app/tags/list", &[], b"");
    for text in [&two, &docker_list, &whole] {
        ask("DELETE", &manifest(&digest(text)), &[], b"");
    }
    ask("GET", "/v2/team/app/tags/list", &[], b"");
    ask("GET", "/v2/_catalog", &[], b"");
    seen
}

#[tokio::test]
async fn the_sandbox_answers_as_distribution_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(distribution) = Distribution::start(folder.path()) else {
        let _ = writeln!(stderr(), "skipped: the registry beside distribution: there is no docker-registry here");
        return;
    };
    let sandbox = Sandbox::start(World::default(), Options::default()).await.expect("a sandbox");
    let (is, should) = (visit(&sandbox.registry()), visit(&distribution.host));
    let differing = is.iter().zip(&should).filter(|(is, should)| is.1 != should.1);
    let shown: Vec<_> =
        differing.map(|(is, should)| format!("{}\n  is     {:?}\n  should {:?}", is.0, is.1, should.1)).collect();
    assert!(
        shown.is_empty() && is.len() == should.len(),
        "{} of {} differ\n{}",
        shown.len(),
        is.len(),
        shown.join("\n")
    );
}
