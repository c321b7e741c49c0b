use serde_json::json;

use super::*;

/// An index with a tag, an image with two tags, and an image without any.
fn filled(registry: &str) -> (Fixture, [Digest; 5]) {
    let mut fixture = Fixture::open(registry);
    let [index, one, other] = fixture.push_index(Kind::Oci, &["index"]);
    let tagged = fixture.push("tagged", &["v1", "v2"]);
    let untagged = fixture.push("untagged", &[]);
    (fixture, [index, one, other, tagged, untagged])
}

fn all(list: &Value, member: &str) -> Vec<String> {
    let mut found: Vec<_> = list.as_array().unwrap().iter().map(|it| it[member].as_str().unwrap().to_owned()).collect();
    found.sort();
    found
}

#[test]
fn gar_lists_every_image_with_its_times_beside_the_tags() {
    let (mut registry, [.., tagged, untagged]) = filled("gar");
    let body = registry.ask("GET", "/v2/team/app/tags/list").json();
    assert_eq!(body["tags"], json!(["index", "v1", "v2"]));
    let manifests = body["manifest"].as_object().unwrap();
    assert_eq!(manifests.len(), 5);
    assert_eq!(manifests[&tagged.to_string()]["tag"], json!(["v1", "v2"]));
    assert_eq!(manifests[&untagged.to_string()]["tag"], json!([]));
    assert_eq!(manifests[&tagged.to_string()]["timeUploadedMs"], now().timestamp_millis().to_string());
}

#[test]
fn acr_lists_manifests_and_tags_in_pages_and_removes_a_tag() {
    let (mut registry, [.., tagged, _]) = filled("acr");
    let (mut path, mut digests) = ("/acr/v1/team/app/_manifests?n=2".to_owned(), Vec::new());
    loop {
        let answer = registry.ask("GET", &path);
        digests.extend(all(&answer.json()["manifests"], "digest"));
        let Some((next, _)) = answer.header("link").trim_start_matches('<').split_once('>') else { break };
        path = next.into();
    }
    assert_eq!(digests.len(), 5);
    let tags = format!("/acr/v1/team/app/_tags?digest={tagged}");
    assert_eq!(all(&registry.ask("GET", &tags).json()["tags"], "name"), ["v1", "v2"]);
    assert_eq!(registry.ask("DELETE", "/acr/v1/team/app/_tags/v1").status(), 202);
    assert_eq!(registry.ask("DELETE", "/acr/v1/team/app/_tags/v1").error(), code(404, "TAG_UNKNOWN"));
    assert!(registry.has(tagged) && registry.has("v2") && !registry.has("v1"));
    assert_eq!(registry.ask("GET", "/acr/v1/_catalog").json()["repositories"], json!(["team/app"]));
    let mut door = Fixture::of("acr");
    let challenge = door.ask("GET", "/acr/v1/team/app/_manifests");
    assert!(challenge.header("www-authenticate").ends_with("scope=\"repository:team/app:metadata_read\""));
}

#[test]
fn harbor_lists_artifacts_and_removes_one_tag() {
    let (mut registry, [index, one, other, tagged, untagged]) = filled("harbor");
    let own = "/api/v2.0/projects/team/repositories/app/artifacts";
    registry.oci.door.users.clear();
    assert_eq!(registry.ask("GET", own).error(), code(401, "UNAUTHORIZED"), "also where the protocol is open");
    registry.oci.door = Door::default();
    let basic = format!("Basic {}", aws_smithy_types::base64::encode("sandbox:sandbox-password"));
    let mut ask = |method: &str, path: String| registry.send(method, &path, &[("authorization", basic.as_str())], b"");
    let listed = ask("GET", format!("{own}?page_size=2"));
    assert_eq!((listed.header("x-total-count"), listed.json().as_array().unwrap().len()), ("3", 2));
    assert!(listed.header("link").contains("page=2"));
    let mut expected = [index, tagged, untagged].map(|digest| digest.to_string());
    expected.sort();
    assert_eq!(all(&ask("GET", own.into()).json(), "digest"), expected);
    assert_eq!(all(&ask("GET", format!("{own}?q=tags%3Dnil")).json(), "digest"), [untagged.to_string()]);
    let everything = ask("GET", format!("{own}?q=base%3D*&sort=id")).json();
    assert_eq!(everything.as_array().unwrap().len(), 5, "with what an index holds");
    let shown = ask("GET", format!("{own}/index")).json();
    let mut children = [one, other].map(|digest| digest.to_string());
    children.sort();
    assert_eq!(all(&shown["references"], "child_digest"), children);
    assert_eq!(ask("GET", format!("{own}?page_size=101")).status(), 422);
    assert_eq!(ask("DELETE", format!("{own}/v1/tags/v1")).status(), 200);
    assert_eq!(ask("DELETE", format!("{own}/{untagged}")).status(), 200);
    assert_eq!(ask("DELETE", format!("{own}/{one}")).error(), code(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT"));
    assert_eq!(ask("GET", own.replace("app", "a%252Fb")).json(), json!([]), "a list of what is not there is empty");
    assert_eq!(ask("GET", "/api/v2.0/ping".into()).0.body, b"Pong");
    assert!(!registry.has("v1") && registry.has("v2") && registry.has(tagged) && !registry.has(untagged));
}

#[test]
fn zot_answers_as_much_as_a_query_asks_for() {
    let (mut registry, [index, ..]) = filled("zot");
    let query = r#"query($repo: String!) { ImageList(repo: $repo, requestedPage: {limit: 1, offset: 0}) {
        Results { Tag Digest Manifests { Digest } } Page { TotalCount } } }"#;
    let body = json!({ "query": query, "variables": { "repo": "team/app" } }).to_string();
    let answer = registry.send("POST", "/v2/_zot/ext/search", &[], body.as_bytes()).json();
    let list = &answer["data"]["ImageList"];
    assert_eq!(list["Page"], json!({ "TotalCount": 3 }));
    let results = list["Results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["Digest"], index.to_string());
    assert_eq!(results[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["Digest", "Manifests", "Tag"]);
    let odd = json!({ "query": "{ CVEList }" }).to_string();
    assert!(registry.send("POST", "/v2/_zot/ext/search", &[], odd.as_bytes()).json()["errors"].is_array());
}
