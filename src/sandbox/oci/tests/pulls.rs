use super::*;

const MANIFEST: &str = "/v2/team/app/manifests/";

#[test]
fn head_tells_of_a_manifest_what_get_brings() {
    let mut registry = Fixture::open("distribution");
    let digest = registry.push("one", &["v1"]);
    let head = registry.ask("HEAD", format!("{MANIFEST}v1"));
    let got = registry.ask("GET", format!("{MANIFEST}{digest}"));
    for answer in [&head, &got] {
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        assert_eq!(answer.header("content-type"), "application/vnd.oci.image.manifest.v1+json");
    }
    assert_eq!(Digest::of(&got.0.body), digest);
    let etag = [("accept", ALL), ("if-none-match", got.header("etag"))];
    assert_eq!(registry.send("GET", &format!("{MANIFEST}v1"), &etag, b"").status(), 304);
    for absent in ["v2", &Digest::of("absent").to_string()] {
        assert_eq!(registry.ask("GET", format!("{MANIFEST}{absent}")).error(), code(404, "MANIFEST_UNKNOWN"));
    }
    assert_eq!(registry.ask("GET", "/v2/absent/manifests/v1").error(), code(404, "MANIFEST_UNKNOWN"));
    let upper = digest.to_string().to_uppercase().replace("SHA256", "sha256");
    assert_eq!(registry.ask("GET", format!("{MANIFEST}{upper}")).error(), code(400, "DIGEST_INVALID"));
}

#[test]
fn what_a_client_does_not_accept_is_changed_or_kept_from_it() {
    let mut registry = Fixture::open("distribution");
    let [list, _, amd64] = registry.push_index(Kind::Docker, &["list"]);
    registry.push_index(Kind::Oci, &["index"]);
    registry.push("one", &["oci"]);
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let mut accepting = |accept: &str, reference: &str| {
        let answer = registry.send("HEAD", &format!("{MANIFEST}{reference}"), &[("accept", accept)], b"");
        (answer.status(), answer.header("docker-content-digest").to_owned())
    };
    assert_eq!(accepting(docker, "list"), (200, amd64.to_string()));
    assert_eq!(accepting(ALL, "list"), (200, list.to_string()));
    assert_eq!(accepting(docker, &list.to_string()), (200, list.to_string()));
    assert_eq!(accepting("*/*", "list").0, 400);
    assert_eq!(accepting(docker, "index").0, 404);
    assert_eq!(accepting("", "oci").0, 404);
    let lines = [("accept", docker), ("accept", "application/vnd.oci.image.index.v1+json;q=0")];
    assert_eq!(registry.send("HEAD", &format!("{MANIFEST}index"), &lines, b"").status(), 200);
    registry.oci.habits.converts = false;
    assert_eq!(registry.send("HEAD", &format!("{MANIFEST}index"), &[], b"").status(), 200);
}

#[test]
fn every_blob_of_the_sample_data_has_its_digest_and_size() {
    let mut registry = Fixture::open("distribution");
    registry.oci = Oci::seeded(1, 12, Habits::default(), now());
    let repositories: Vec<_> = registry.oci.repositories.clone().into_iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    for (name, repository) in repositories {
        for blob in repository.images().flat_map(|image| image.manifest.blobs()) {
            // The large ones are tried with skopeo.
            if blob.size < 6 << 20 && seen.insert(blob.digest) {
                let answer = registry.ask("GET", format!("/v2/{name}/blobs/{}", blob.digest));
                assert_eq!((Digest::of(&answer.0.body), answer.0.body.len() as u64), (blob.digest, blob.size));
            }
        }
    }
    assert!(seen.len() > 20, "{}", seen.len());
}

#[test]
fn a_blob_is_of_its_repository_and_a_manifest_is_none() {
    let mut registry = Fixture::open("distribution");
    let digest = registry.push("one", &["v1"]);
    let blob = registry.repository().image(&digest).unwrap().manifest.blobs().next().unwrap().clone();
    registry.oci.repository("other", now());
    let head = registry.ask("HEAD", format!("/v2/team/app/blobs/{}", blob.digest));
    assert_eq!((head.status(), head.header("content-length")), (200, blob.size.to_string().as_str()));
    for path in [format!("other/blobs/{}", blob.digest), format!("team/app/blobs/{digest}")] {
        assert_eq!(registry.ask("GET", format!("/v2/{path}")).error(), code(404, "BLOB_UNKNOWN"));
    }
    let delete = registry.ask("DELETE", format!("/v2/team/app/blobs/{}", blob.digest));
    assert_eq!(delete.error(), code(405, "UNSUPPORTED"));
}

#[test]
fn a_head_may_be_silent_about_the_digest() {
    let mut registry = Fixture::open("distribution");
    registry.push("one", &["v1"]);
    assert!(registry.oci.habits.add("no-digest-header") && !registry.oci.habits.add("odd"));
    assert_eq!(registry.ask("HEAD", format!("{MANIFEST}v1")).header("docker-content-digest"), "");
    assert_ne!(registry.ask("GET", format!("{MANIFEST}v1")).header("docker-content-digest"), "");
}
