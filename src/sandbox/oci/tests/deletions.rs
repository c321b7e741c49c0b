use super::*;

#[test]
fn a_digest_takes_all_its_tags_with_it_and_is_gone() {
    let mut registry = Fixture::open("distribution");
    let digest = registry.push("one", &["v1", "v2"]);
    assert_eq!(registry.delete(digest), code(202, ""));
    assert!(!registry.has(digest) && !registry.has("v1"));
    assert_eq!(registry.delete(digest), code(404, "MANIFEST_UNKNOWN"));
    assert_eq!(registry.delete("sha256:no"), code(400, "DIGEST_INVALID"));
}

#[test]
fn each_registry_refuses_in_its_own_way() {
    // By tag, by digest where it has tags, a child of an index.
    for (registry, by_tag, by_digest, child) in [
        ("distribution", (400, "DIGEST_INVALID"), (202, ""), (202, "")),
        ("distribution3", (202, ""), (202, ""), (202, "")),
        ("harbor", (400, "UNSUPPORTED"), (202, ""), (412, "VIOLATE_FOREIGN_KEY_CONSTRAINT")),
        ("ghcr", (405, "UNSUPPORTED"), (405, "UNSUPPORTED"), (405, "UNSUPPORTED")),
        ("gitlab", (202, ""), (202, ""), (202, "")),
        ("zot", (202, ""), (202, ""), (405, "DENIED")),
        ("gar", (202, ""), (400, "GOOGLE_MANIFEST_DANGLING_TAG"), (400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE")),
        ("acr", (405, "UNSUPPORTED"), (202, ""), (202, "")),
        ("quay", (202, ""), (202, ""), (404, "MANIFEST_UNKNOWN")),
        ("gitea", (202, ""), (202, ""), (202, "")),
        ("nexus", (202, ""), (202, ""), (202, "")),
    ] {
        let mut fixture = Fixture::open(registry);
        let first = fixture.push("one", &["v1", "v2"]);
        let second = fixture.push("two", &["v3"]);
        let [index, part, _] = fixture.push_index(Kind::Oci, &["index"]);
        let done = |(status, text): (u16, &str)| (code(status, text), status != 202);
        let tag = fixture.delete("v1");
        assert_eq!((tag, fixture.has("v1")), done(by_tag), "{registry}: by tag");
        assert!(fixture.has(first) && fixture.has("v2"), "{registry}: the other tag stays");
        let digest = fixture.delete(second);
        assert_eq!((digest, fixture.has(second)), done(by_digest), "{registry}: by digest");
        let part_refused = fixture.delete(part);
        assert_eq!((part_refused, fixture.has(part)), done(child), "{registry}: a child");
        assert!(fixture.has(index), "{registry}");
    }
}

#[test]
fn a_deletion_where_there_is_no_repository_is_refused_in_each_registrys_own_way() {
    let path = format!("/v2/absent/manifests/{}", Digest::of("absent"));
    for (registry, refused) in
        [("distribution", (404, "MANIFEST_UNKNOWN")), ("harbor", (404, "NOT_FOUND")), ("zot", (400, "NAME_UNKNOWN"))]
    {
        assert_eq!(Fixture::open(registry).ask("DELETE", &path).error(), code(refused.0, refused.1), "{registry}");
    }
}

#[test]
fn every_registry_of_the_table_is_tried_above() {
    let tried = include_str!("deletions.rs");
    assert!(habits::REGISTRIES.iter().all(|it| tried.contains(&format!("\"{}\"", it.name))));
}

#[test]
fn harbor_takes_the_parts_with_an_index_unless_something_else_has_them() {
    let mut registry = Fixture::open("harbor");
    let [index, one, other] = registry.push_index(Kind::Oci, &["v1"]);
    registry.repository().set_tag("kept", other);
    let subject = registry.repository().image(&index).unwrap().manifest.clone();
    let signature = Built::attached("signature", "application/x-signature", &subject);
    signature.push(registry.repository(), &[], now());
    assert_eq!(registry.delete(index), code(202, ""));
    assert!(!registry.has(one) && registry.has(other) && !registry.has(signature.manifest.digest));
}

#[test]
fn a_quirk_leaves_tags_without_an_image() {
    let mut registry = Fixture::open("distribution3");
    registry.oci.habits.add("dangling-tags");
    let digest = registry.push("one", &["v1"]);
    assert_eq!(registry.delete(digest), code(202, ""));
    assert_eq!(registry.ask("GET", "/v2/team/app/tags/list").json()["tags"][0], "v1");
    assert_eq!(registry.ask("HEAD", "/v2/team/app/manifests/v1").status(), 404);
    assert_eq!(registry.delete(digest), code(404, "MANIFEST_UNKNOWN"));
    let again = registry.push("two", &["v1"]);
    assert_eq!(registry.repository().tag("v1"), Some(again));
}

#[test]
fn what_is_switched_off_is_refused_before_anything_is_looked_for() {
    for (quirk, refused) in [
        ("delete-disabled", (405, "UNSUPPORTED")),
        ("read-only", (405, "")),
        ("immutable", (412, "PRECONDITION")),
        ("locked", (405, "REGISTRY_DISALLOWED_OPERATION")),
    ] {
        let mut registry = Fixture::open("zot");
        assert!(registry.oci.habits.add(quirk));
        let digest = registry.push("one", &["v1"]);
        for reference in [digest.to_string(), "v1".into(), Digest::of("absent").to_string()] {
            assert_eq!(registry.delete(&reference), code(refused.0, refused.1), "{quirk} {reference}");
        }
        assert!(registry.has("v1"));
    }
}

#[test]
fn a_hook_runs_before_its_call() {
    let mut registry = Fixture::open("distribution");
    let digest = registry.push("one", &["v1"]);
    registry.oci.before("DELETE manifest", move |oci| {
        oci.repository("team/app", now()).set_tag("late", digest);
    });
    assert_eq!(registry.delete(digest), code(202, ""));
    assert!(!registry.has("late"));
}
