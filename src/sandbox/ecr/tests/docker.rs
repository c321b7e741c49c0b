//! The registry side: what docker and skopeo see of the same repositories.

use aws_smithy_types::base64;
use hyper::header::HeaderName;

use super::*;

impl Fixture {
    /// Sends one request with this password; without one if it is empty.
    fn docker(&mut self, method: &str, path: &str, password: &str, body: &str) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("host"), "127.0.0.1:1".parse().unwrap());
        if !password.is_empty() {
            let login = format!("Basic {}", base64::encode(format!("AWS:{password}")));
            headers.insert(HeaderName::from_static("authorization"), login.parse().unwrap());
        }
        let request = Received {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers,
            body: Bytes::from(body.to_owned()),
            now: self.now,
            to_registry: false,
        };
        assert!(self.ecr.operation(&request).is_some_and(|operation| self.ecr.operations().contains(&&*operation)));
        let reply = self.ecr.answer(&request);
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    /// The password that the API gives out.
    fn password(&mut self) -> String {
        let answer = self.ask("GetAuthorizationToken", json!({})).unwrap();
        let token = base64::decode(answer["authorizationData"][0]["authorizationToken"].as_str().unwrap()).unwrap();
        String::from_utf8(token).unwrap().strip_prefix("AWS:").unwrap().into()
    }
}

fn code((status, body): (u16, Value)) -> (u16, String) {
    (status, body["errors"][0]["code"].as_str().unwrap_or_default().into())
}

const MANIFEST: &str = "/v2/team/app/manifests/v1";

#[test]
fn only_the_password_of_the_api_opens_it() {
    let mut fixture = Fixture::new();
    fixture.push("one", &["v1"]);
    let password = fixture.password();
    for wrong in ["", "wrong"] {
        assert_eq!(code(fixture.docker("GET", "/v2/", wrong, "")), (401, "UNAUTHORIZED".into()));
    }
    assert_eq!(fixture.docker("GET", "/v2/", &password, "").0, 200);
    assert_eq!(fixture.docker("GET", "/v2/team/app/tags/list", &password, "").1["tags"], json!(["v1"]));
    let absent = fixture.docker("GET", "/v2/absent/tags/list", &password, "");
    assert_eq!(code(absent), (404, "NAME_UNKNOWN".into()));
}

#[test]
fn a_pull_is_kept_with_the_image_and_a_look_is_not() {
    let mut fixture = Fixture::new();
    let (password, digest) = (fixture.password(), fixture.push("one", &["v1"]).digest);
    assert_eq!(fixture.docker("HEAD", MANIFEST, &password, "").0, 200);
    assert_eq!(fixture.repository().image(&digest).unwrap().pulled_at, None);
    assert_eq!(fixture.docker("GET", MANIFEST, &password, "").0, 200);
    let now = fixture.now;
    assert_eq!(fixture.repository().image(&digest).unwrap().pulled_at, Some(now));
    fixture.repository().archive(&digest, now);
    assert_eq!(code(fixture.docker("GET", MANIFEST, &password, "")), (404, "MANIFEST_UNKNOWN".into()));
}

#[test]
fn a_push_shows_in_the_api_and_may_not_move_an_immutable_tag() {
    let mut fixture = Fixture::new();
    let password = fixture.password();
    let blob = "a layer";
    let place = format!("/v2/team/app/blobs/uploads/?digest={}", Digest::of(blob));
    assert_eq!(fixture.docker("POST", &place, &password, blob).0, 201);
    let part = format!(r#"{{"mediaType":"application/x","digest":"{}","size":7}}"#, Digest::of(blob));
    let kind = manifest::OCI_MANIFEST;
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{part},"layers":[{part}]}}"#);
    assert_eq!(fixture.docker("PUT", MANIFEST, &password, &text).0, 201);
    let shown = fixture.ask("DescribeImages", json!({"imageIds": [by_tag("v1")]})).unwrap();
    assert_eq!(shown["imageDetails"][0]["imageDigest"], Digest::of(&text).to_string());
    fixture.push("other", &["held"]);
    fixture.repository().mutability = repository::Mutability::Immutable;
    let held = "/v2/team/app/manifests/held";
    assert_eq!(code(fixture.docker("PUT", held, &password, &text)), (400, "TAG_INVALID".into()));
    assert_eq!(fixture.docker("PUT", MANIFEST, &password, &text).0, 201, "it is there already");
    let absent = fixture.docker("POST", "/v2/absent/blobs/uploads/", &password, "");
    assert_eq!(code(absent), (404, "NAME_UNKNOWN".into()), "ECR makes no repository");
    assert_eq!(code(fixture.docker("DELETE", MANIFEST, &password, "")), (405, "UNSUPPORTED".into()));
}

#[test]
fn a_layer_that_the_api_took_can_be_pulled() {
    let mut fixture = Fixture::new();
    let password = fixture.password();
    let upload = fixture.ask("InitiateLayerUpload", json!({})).unwrap()["uploadId"].clone();
    let part =
        json!({"uploadId": upload, "partFirstByte": 0, "partLastByte": 6, "layerPartBlob": base64::encode("a layer")});
    fixture.ask("UploadLayerPart", part).unwrap();
    let digest = Digest::of("a layer");
    fixture.ask("CompleteLayerUpload", json!({"uploadId": upload, "layerDigests": [digest]})).unwrap();
    assert_eq!(fixture.repository().layer(&digest).unwrap().bytes().unwrap(), b"a layer");
    assert_eq!(fixture.docker("GET", &format!("/v2/team/app/blobs/{digest}"), &password, "").0, 200);
}
