//! OCI registries as their owners set them up: with passwords, with tokens, with certificates of their own, without deletion,
//! read-only, and as a cache of another registry. Each is the real program.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};
use tempfile::TempDir;

use crate::{
    docker_registry::{DELETES, PASSWORD, Registry, USER},
    token_server::{READER, TokenServer},
    world::World,
};

fn world() -> World {
    World::new(Default::default())
}

/// Puts a file below the home of a world.
fn put(world: &World, path: &str, text: &[u8]) {
    let path = world.home().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn log_in(world: &World, host: &str, password: &str) {
    log_in_as(world, host, USER, password);
}

fn log_in_as(world: &World, host: &str, user: &str, password: &str) {
    let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let file = format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#);
    put(world, ".docker/config.json", file.as_bytes());
}

/// Lists, describes and deletes one image, and asks `doctor`.
#[track_caller]
fn works(world: &World, registry: &Registry) {
    let image = registry.at("app:v1");
    world.run(&["list", &registry.at("app"), "-o", "json"]).exits(0).lists(1);
    world.run(&["get", &image, "-o", "json"]).exits(0);
    let run = world.run(&["doctor", &registry.at("app"), "--check-delete", "-o", "json"]);
    run.exits(0);
    world.run(&["delete", &image, "--yes", "-o", "json"]).ends(0, ["deleted"]);
    world.run(&["get", &image, "-o", "json"]).exits(1);
}

#[test]
fn a_registry_with_passwords_takes_the_one_that_docker_stored() {
    let Some(registry) = Registry::with_passwords(DELETES) else { return };
    registry.push(&registry.layout("one", &[]), "app", &["v1"]);
    let world = world();
    let run = world.run(&["list", &registry.at("app")]);
    run.exits(3).says("wants credentials").says("docker login");
    log_in(&world, &registry.host, "wrong");
    let run = world.run(&["doctor", &registry.at("app"), "-o", "json"]);
    assert!(run.code != 0 && !run.stdout.contains("wrong\""), "{}", run.transcript());
    let run = world.run(&["delete", &registry.at("app:v1"), "--yes", "-o", "json"]);
    assert_eq!(run.code, 3, "{}", run.transcript());
    log_in(&world, &registry.host, PASSWORD);
    works(&world, &registry);
}

#[test]
fn a_registry_with_a_certificate_of_its_own_is_trusted_as_docker_and_podman_trust_it() {
    let Some(registry) = Registry::with_tls(DELETES) else { return };
    let layout = registry.layout("one", &[]);
    let push = || registry.push(&layout, "app", &["v1"]);
    push();
    let authority = fs::read(registry.folder().join("ca.crt")).unwrap();
    let endpoint = format!("https://{}", registry.host);
    let strange = world().set("IMGCTL_OCI_ENDPOINT", &endpoint);
    let run = strange.run(&["list", &registry.at("app"), "--attempts", "1"]);
    run.exits(3).says("certificate").says("SSL_CERT_FILE").says("certs.d");
    let named = world().set("IMGCTL_OCI_ENDPOINT", &endpoint);
    put(&named, "authority.pem", &authority);
    let file = named.home().join("authority.pem").display().to_string();
    works(&named.set("SSL_CERT_FILE", &file), &registry);
    // With these, plain HTTP is no longer meant, on this machine neither.
    for folder in [".config/containers", ".config/docker"] {
        push();
        let world = world();
        put(&world, &format!("{folder}/certs.d/{}/ca.crt", registry.host), &authority);
        works(&world, &registry);
        let run = world.run(&["doctor", &registry.at("app")]);
        assert!(run.stdout.contains("certificates in"), "{}", run.transcript());
    }
    let broken = world();
    put(&broken, &format!(".config/containers/certs.d/{}/ca.crt", registry.host), b"nothing");
    broken.run(&["list", &registry.at("app")]).exits(3).says("ca.crt holds no certificate");
}

#[test]
fn a_certificate_that_the_registry_signed_itself_is_trusted_where_it_was_placed() {
    let place = |world: &World, registry: &Registry, certificate: &[u8]| {
        put(world, &format!(".config/containers/certs.d/{}/ca.crt", registry.host), certificate);
    };
    let own = |registry: &Registry| fs::read(registry.folder().join("own.pem")).unwrap();
    let Some(good) = Registry::with_own_certificate("IP:127.0.0.1", "2", DELETES) else { return };
    good.push(&good.layout("one", &[]), "app", &["v1"]);
    let trusting = world();
    place(&trusting, &good, &own(&good));
    works(&trusting, &good);
    // Another one, one for another host, and one whose time is over.
    for (names, days) in [("IP:127.0.0.1", "2"), ("DNS:registry.example.com", "2"), ("IP:127.0.0.1", "-1")] {
        let Some(registry) = Registry::with_own_certificate(names, days, DELETES) else { return };
        let (world, is_other) = (world(), names == "IP:127.0.0.1" && days == "2");
        place(&world, &registry, &own(if is_other { &good } else { &registry }));
        let run = world.run(&["list", &registry.at("app"), "--attempts", "1"]);
        run.exits(3).says("certificate").sends_calls(0);
    }
}

/// A registry with one image, which another program with the same files took. Storage is set up as these words say.
fn filled(start: impl Fn(&str) -> Option<Registry>, storage: &str) -> Option<(Registry, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("filesystem: {{rootdirectory: {}}}", folder.path().display());
    let first = Registry::start(&format!("storage: {{{files}}}"))?;
    first.push(&first.layout("one", &[]), "app", &["v1"]);
    Some((start(&format!("storage: {{{files}, {storage}}}"))?, folder))
}

#[test]
fn a_registry_that_deletes_nothing_or_is_read_only_says_so() {
    for (configuration, words) in [
        ("delete: {enabled: false}", "does not delete images"),
        ("delete: {enabled: true}, maintenance: {readonly: {enabled: true}}", "does not delete images"),
    ] {
        let Some((registry, _folder)) = filled(Registry::start, configuration) else { return };
        let world = world();
        world.run(&["list", &registry.at("app"), "-o", "json"]).exits(0).lists(1);
        world.run(&["get", &registry.at("app:v1"), "-o", "json"]).exits(0);
        let run = world.run(&["delete", &registry.at("app:v1"), "--yes", "-o", "json"]);
        assert_ne!(run.code, 0);
        assert!(run.stdout.contains(words), "{}", run.transcript());
        let run = world.run(&["doctor", &registry.at("app"), "--check-delete", "-o", "json"]);
        assert!(run.stdout.contains(words), "{}", run.transcript());
        world.run(&["get", &registry.at("app:v1"), "-o", "json"]).exits(0);
    }
}

#[test]
fn a_cache_of_another_registry_lists_and_reads_and_does_not_delete() {
    let Some(origin) = Registry::start(DELETES) else { return };
    origin.push(&origin.layout("one", &[]), "app", &["v1"]);
    let proxy = format!("{DELETES}\nproxy: {{remoteurl: \"http://{}\"}}", origin.host);
    let Some(cache) = Registry::start(&proxy) else { return };
    let world = world();
    world.run(&["list", &cache.at("app"), "-o", "json"]).exits(0).lists(1);
    world.run(&["get", &cache.at("app:v1"), "-o", "json"]).exits(0);
    let run = world.run(&["delete", &cache.at("app:v1"), "--yes", "-o", "json"]);
    assert_ne!(run.code, 0);
    assert!(run.stdout.contains("does not delete images"), "{}", run.transcript());
    let run = world.run(&["doctor", &cache.at("app"), "--check-delete", "-o", "json"]);
    assert!(run.stdout.contains("does not delete images"), "{}", run.transcript());
    origin.pulls("app:v1");
}

#[test]
fn a_registry_at_an_ipv6_address_is_listed_described_and_deleted_from() {
    // skopeo may take no such host.
    let Some((registry, _folder)) = filled(Registry::at_ipv6, "delete: {enabled: true}") else { return };
    let world = world();
    let run = world.run(&["list", &registry.at("app"), "-o", "json"]);
    run.exits(0).lists(1);
    let reference = run.json()["items"][0]["ref"].as_str().unwrap().to_owned();
    assert!(reference.starts_with("[::1]:"), "{reference}");
    // What was printed is read again, also as a line of text.
    let run = world.run_with(&["delete", "-", "--dry-run", "-o", "json"], &format!("{reference}\n"));
    run.ends(0, ["would_delete"]);
    log_in(&world, &registry.host, PASSWORD);
    let run = world.run(&["doctor", &registry.at("app")]);
    run.exits(0);
    assert!(run.stdout.contains(&format!("OCI registry [::1]:{}", &registry.host[6..])), "{}", run.transcript());
    assert!(run.stdout.contains(USER), "{}", run.transcript());
    // What a shell would act on is only offered after the user has typed it.
    let run = world.run(&["__complete", &format!("--word={}", registry.at("ap")), "--", "imgctl", "delete"]);
    let offered = run.stdout.lines().any(|line| line.split('\t').next() == Some(&registry.at("app:")));
    assert!(offered, "{}", run.transcript());
    works(&world, &registry);
}

#[test]
fn a_registry_with_tokens_gets_one_for_each_right_and_tells_who_lacks_one() {
    let server = TokenServer::start();
    let Some(registry) = Registry::with_tokens(&server, DELETES) else { return };
    registry.push(&registry.layout("one", &[]), "app", &["v1", "v2"]);
    let world = world();
    log_in_as(&world, &registry.host, READER, PASSWORD);
    server.asked();
    world.run(&["list", &registry.at("app"), "-o", "json"]).exits(0).lists(1);
    // One token serves the listing, the looks and the reading.
    assert_eq!(server.asked(), ["repository:app:pull"]);
    let run = world.run(&["delete", &registry.at("app:v1"), &registry.at("app:v2"), "--yes", "-o", "json"]);
    assert!(run.code != 0 && run.stdout.contains("no right to delete"), "{}", run.transcript());
    let run = world.run(&["doctor", &registry.at("app"), "--check-delete"]);
    assert!(run.stdout.contains("no right to delete"), "{}", run.transcript());
    log_in(&world, &registry.host, "wrong");
    world.run(&["list", &registry.at("app")]).exits(3).says("refuses the credentials");
    log_in(&world, &registry.host, PASSWORD);
    server.asked();
    let both = [registry.at("app:v1"), registry.at("app:v2")];
    world.run(&["delete", &both[0], &both[1], "--yes", "-o", "json"]).ends(0, ["deleted", "deleted"]);
    assert_eq!(server.asked(), ["repository:app:pull", "repository:app:delete"]);
}
