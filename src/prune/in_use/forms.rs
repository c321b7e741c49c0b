//! The forms in which people write what is in use, each with what it keeps.

use super::{Known, Tally, scan};
use crate::prune::{
    Evidence, Stock,
    sample::{Shelf, digest},
};

const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn stocks() -> Vec<Stock> {
    vec![
        Shelf::named("team/app").image(1, &["v1"], 1).image(2, &["v2"], 1).image(3, &[], 1).image(4, &["latest"], 1),
        Shelf::named("app").image(11, &["v1"], 1).image(12, &["v2"], 1).image(13, &["latest"], 1),
        Shelf::named("charts/web").image(21, &["1.2.3"], 1).image(22, &["1.2.4"], 1),
        Shelf::named("docker-hub/library/nginx").image(31, &["1.25"], 1).image(32, &["1.26"], 1),
    ]
    .into_iter()
    .map(Shelf::stock)
    .collect()
}

/// What a text keeps, as `REPOSITORY:TAG`, or `@` for the image without a tag; and the repositories that it leaves open.
fn kept(text: &[u8]) -> (Vec<String>, Tally) {
    let stocks = stocks();
    let mut evidence = Evidence::default();
    let tally = scan("f", text, &Known::of(&stocks), &mut evidence).unwrap();
    let mut found = Vec::new();
    for stock in &stocks {
        for image in stock.images().iter().filter(|image| evidence.of(&stock.store, image).is_some()) {
            let tag = image.tags.first().map_or("@".into(), |tag| format!(":{tag}"));
            found.push(format!("{}{tag}", stock.store.name));
        }
    }
    (found, tally)
}

#[test]
fn each_form_keeps_what_it_names() {
    let untagged = digest(3);
    let host = |text: &str| text.replace("HOST", HOST).replace("DIGEST", &untagged);
    let table: &[(&str, &str, &[&str])] = &[
        ("Helm values", "image:\n  repository: HOST/team/app\n  tag: v1\n", &["team/app:v1"]),
        ("Helm values in one line", "image: {repository: HOST/team/app, tag: \"v1\"}", &["team/app:v1"]),
        (
            "Helm values, the tag first",
            "image:\n  tag: v1\n  pullPolicy: Always\n  repository: HOST/team/app",
            &["team/app:v1"],
        ),
        ("Helm values with a registry", "image:\n  registry: HOST\n  repository: app\n  tag: v1\n", &["app:v1"]),
        (
            "Helm values with a registry and folder",
            "registry: HOST/team\nrepository: app\ntag: v1",
            &["team/app:v1", "app:v1"],
        ),
        (
            "Helm values in three parts",
            "registry: HOST\nnamespace: team\nname: app\ntag: v1",
            &["team/app:v1", "app:v1"],
        ),
        ("Helm values with a digest", "image:\n  repository: HOST/team/app\n  digest: DIGEST", &["team/app@"]),
        ("Helm values, repository without slash", "image:\n  repository: app\n  tag: v2", &["app:v2"]),
        (
            "Helm on a command line",
            "helm upgrade x . --set image.repository=HOST/team/app --set image.tag=v1",
            &["team/app:v1"],
        ),
        ("kustomize", "images:\n- name: HOST/team/app\n  newTag: v1\n", &["team/app:v1"]),
        ("kustomize, a short name", "images:\n- name: app\n  newTag: v1\n", &["app:v1"]),
        ("kustomize, a new name", "images:\n- name: web\n  newName: HOST/team/app\n  newTag: v2\n", &["team/app:v2"]),
        ("kustomize, the tag first", "images:\n- newTag: v2\n  newName: app\n  name: web", &["app:v2"]),
        ("kustomize with a digest", "images:\n- name: HOST/team/app\n  digest: DIGEST", &["team/app@"]),
        ("Terraform variables", "repository_url = \"HOST/team/app\"\nimage_tag = \"v1\"", &["team/app:v1"]),
        (
            "a Terraform variable",
            "name = \"team/app\"\nvariable \"app_version\" {\n  default = \"v1\"\n}",
            &["team/app:v1"],
        ),
        (
            "a Terraform state",
            r#"{"attributes":{"repository_url":"HOST/team/app","image_tag":"v1"}}"#,
            &["team/app:v1"],
        ),
        ("a Terraform state in pieces", r#"{"name":"app"},{"image_digest":"DIGEST"}"#, &["team/app@"]),
        ("compose", "services:\n  web:\n    image: HOST/team/app:v1\n", &["team/app:v1"]),
        ("compose with defaults", "image: ${REGISTRY:-HOST}/team/app:${TAG:-v1}", &["team/app:v1"]),
        ("a default without a colon", "image: ${REGISTRY}/team/app:${TAG-v1}", &["team/app:v1"]),
        ("a default that is the whole image", "image: ${IMAGE:-HOST/team/app:v1}", &["team/app:v1"]),
        ("a default that is a short image", "image: ${IMAGE:-app:v1}", &["app:v1"]),
        ("a default within a default", "image: ${A:-${B:-HOST/team/app:v1}}", &["team/app:v1"]),
        ("an environment file", "APP_IMAGE=HOST/team/app\nAPP_TAG=v1\n", &["team/app:v1"]),
        ("Nomad", "config {\n  image = \"HOST/team/app:v1\"\n}", &["team/app:v1"]),
        (
            "Nomad with a variable",
            "image = \"HOST/team/app:${var.tag}\"\nvariable \"tag\" { default = \"v1\" }",
            &["team/app:v1"],
        ),
        ("Flux", "kind: OCIRepository\nspec:\n  url: oci://HOST/team/app\n  ref:\n    tag: v1\n", &["team/app:v1"]),
        ("a chart that Flux takes", "url: oci://HOST/charts\n---\nchart: web\nversion: 1.2.3", &["charts/web:1.2.3"]),
        ("Argo CD", "source:\n  repoURL: HOST/charts\n  chart: web\n  targetRevision: 1.2.3\n", &["charts/web:1.2.3"]),
        ("Argo CD with images", "kustomize:\n  images:\n  - web=HOST/team/app:v1", &["team/app:v1"]),
        (
            "chart dependencies",
            "dependencies:\n- name: web\n  version: 1.2.3\n  repository: oci://HOST/charts",
            &["charts/web:1.2.3"],
        ),
        (
            "docker images",
            "REPOSITORY       TAG  IMAGE ID      SIZE\nHOST/team/app    v1   1fda25b4d2c1  7MB\n",
            &["team/app:v1"],
        ),
        ("docker images, a short name", "REPOSITORY  TAG  IMAGE ID\napp         v1   1fda25b4d2c1\n", &["app:v1"]),
        ("docker images as JSON", r#"{"ID":"1fda25b4d2c1","Repository":"HOST/team/app","Tag":"v1"}"#, &["team/app:v1"]),
        (
            "docker images with digests",
            "HOST/team/app  <none>  DIGEST  1fda25b4d2c1",
            &["team/app@", "team/app:latest"],
        ),
        (
            "crictl images",
            "IMAGE          TAG  IMAGE ID       SIZE\nHOST/team/app  v1   1fda25b4d2c1f  7MB",
            &["team/app:v1"],
        ),
        (
            "crictl images as JSON",
            r#"{"images":[{"repoTags":["HOST/team/app:v1"],"repoDigests":[]}]}"#,
            &["team/app:v1"],
        ),
        ("kubectl -o json", r#"{"items":[{"spec":{"containers":[{"image":"HOST/team/app:v1"}]}}]}"#, &["team/app:v1"]),
        ("kubectl -o yaml", "items:\n- spec:\n    containers:\n    - image: HOST/team/app:v1\n", &["team/app:v1"]),
        (
            "kubectl -o jsonpath",
            "HOST/team/app:v1 HOST/app:v2 nginx:1.25",
            &["team/app:v1", "app:v2", "docker-hub/library/nginx:1.25"],
        ),
        ("imageID", "imageID: docker-pullable://HOST/team/app@DIGEST", &["team/app@"]),
        ("NUL between names", "HOST/team/app:v1\0app:v2\0", &["team/app:v1", "app:v2"]),
        ("commas between names", "HOST/team/app:v1,app:v2;team/app:v2", &["team/app:v1", "team/app:v2", "app:v2"]),
        ("another host", "mirror.example.com:5000/team/app:v1", &["team/app:v1"]),
        ("a proxy's folder", "harbor.example.com/ecr-proxy/team/app:v1", &["team/app:v1", "app:v1"]),
        (
            "a proxy's folder in values",
            "repository: harbor.example.com/ecr-proxy/team/app\ntag: v1",
            &["team/app:v1", "app:v1"],
        ),
        (
            "the source of a pull-through cache",
            "image: docker.io/library/nginx:1.25",
            &["docker-hub/library/nginx:1.25"],
        ),
        ("the same, short", "image: nginx:1.25", &["docker-hub/library/nginx:1.25"]),
        ("a host in upper case", "123456789012.DKR.ECR.EU-WEST-1.AMAZONAWS.COM/team/app:v1", &["team/app:v1"]),
        ("https", "https://HOST/team/app:v1", &["team/app:v1"]),
        ("docker and oci", "docker://HOST/team/app:v1 oci://HOST/app:v1", &["team/app:v1", "app:v1"]),
        ("tag and digest", "HOST/team/app:v1@DIGEST", &["team/app:v1", "team/app@"]),
        ("a digest alone", "DIGEST", &["team/app@"]),
        (
            "a digest without its algorithm",
            "image_id: 0000000000000000000000000000000000000000000000000000000000000003",
            &["team/app@"],
        ),
        (
            "JSON in YAML in JSON",
            r#"{"data":"image: |\n  {\"repository\":\"HOST\/team\/app\",\"tag\":\"v1\"}\n"}"#,
            &["team/app:v1"],
        ),
        ("JSON in JSON in JSON", r#"{"a":"{\"b\":\"{\\\"image\\\":\\\"HOST/team/app:v1\\\"}\"}"}"#, &["team/app:v1"]),
        ("an Amazon resource name", "arn:aws:ecr:eu-west-1:123456789012:repository/team/app v1", &["team/app:v1"]),
        ("an image without a tag", "image: HOST/team/app", &["team/app:latest"]),
        ("one with a tag and one without", "- HOST/team/app\n- HOST/team/app:v1", &["team/app:v1", "team/app:latest"]),
        // Base64 is not read: a cluster's secrets hold more than images.
        ("base64", "YXBwOnYx", &[]),
        ("an account that is not ours", "999999999999.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1", &[]),
    ];
    for (form, text, expected) in table {
        let text = host(text);
        let (found, _) = kept(text.as_bytes());
        assert_eq!(&found, expected, "{form}: {text}");
        let lines = text.replace('\n', "\r\n");
        assert_eq!(&kept(lines.as_bytes()).0, expected, "{form}, with the line ends of Windows: {text}");
        let wide: Vec<u8> = text.replace('\0', "\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(&kept(&wide).0, expected, "{form}, as PowerShell writes it: {text}");
    }
}

#[test]
fn a_repository_without_its_image_is_left_open_and_latest_does_not_hide_it() {
    let table: &[(&str, &[&str])] = &[
        ("image: HOST/team/app", &[]),
        ("repository: HOST/team/app", &["f:1"]),
        ("image: HOST/team/app\ntag: v9", &["f:1"]),
        ("tag: v9\nimage: HOST/team/app", &["f:2"]),
        ("image: HOST/team/app:v9", &["f:1"]),
        ("image: HOST/charts/web", &["f:1"]),
        ("url: oci://HOST/team/app\nsemver: \">=1.0\"", &["f:1"]),
        // A tag of one repository says nothing of another that has the same tags.
        ("repository: HOST/team/app\ntag: v1\n---\nrepository: HOST/app", &["f:4"]),
        ("repository: HOST/team/app\n---\nrepository: HOST/app\ntag: v1", &["f:1"]),
        ("tag: v1\nrepository: HOST/team/app\n---\nrepository: HOST/app", &["f:4"]),
        ("HOST/team/app:v1\nrepository: HOST/app", &["f:2"]),
        ("name: app\nnewTag: v1\nrepository: HOST/team/app", &["f:3"]),
        ("repository: HOST/team/app\ntag: v1\nrepository: HOST/app\ntag: v1", &[]),
        ("tag: v1\nrepository: HOST/team/app\ntag: v1\nrepository: HOST/app", &[]),
        ("a: HOST/team/app\nb: HOST/app\n# one two three four five\ntag: v1", &[]),
        ("digest: DIGEST\nrepository: HOST/team/app", &[]),
        // It may be another repository, or anything.
        ("image: mirror.example.com/x/team/app", &[]),
        ("app: app", &[]),
    ];
    for (text, expected) in table {
        let (_, tally) = kept(text.replace("HOST", HOST).replace("DIGEST", &digest(3)).as_bytes());
        let places: Vec<_> = tally.unpinned.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(&places, expected, "{text}");
    }
}

#[test]
fn what_no_store_has_is_counted_with_its_place() {
    let text = format!(
        "{HOST}/team/app:v1\n{HOST}/team/app:v9 {HOST}/gone:v1\n999999999999.dkr.ecr.eu-west-1.amazonaws.com/app:v1\n\
         {HOST}/gone:v1 img-00000001 docker.io/library/redis:7"
    );
    let (_, tally) = kept(text.as_bytes());
    assert_eq!((tally.recognised, tally.protected, tally.elsewhere), (5, 1, 4));
    assert_eq!(tally.examples[1], format!("f line 2: {HOST}/gone:v1"));
    assert_eq!(tally.examples[3], "f line 4: img-00000001");
}
