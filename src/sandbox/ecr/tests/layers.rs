use aws_smithy_types::base64;

use super::*;

impl Fixture {
    fn part(&mut self, upload: &Value, first: usize, bytes: &[u8]) -> Result<Value, String> {
        let body = json!({
            "uploadId": upload,
            "partFirstByte": first,
            "partLastByte": first + bytes.len() - 1,
            "layerPartBlob": base64::encode(bytes),
        });
        self.ask("UploadLayerPart", body)
    }

    fn check(&mut self, digests: &[&str]) -> Value {
        self.ask("BatchCheckLayerAvailability", json!({"layerDigests": digests})).unwrap()
    }
}

#[test]
fn a_layer_is_pushed_in_parts_in_order_and_checked_at_the_end() {
    let mut fixture = Fixture::new();
    let layer = vec![7; (5 << 20) + 3];
    let (digest, split) = (Digest::of(&layer), 5 << 20);
    let upload = fixture.ask("InitiateLayerUpload", json!({})).unwrap()["uploadId"].clone();
    let complete = |digest: Digest| json!({"uploadId": upload, "layerDigests": [digest]});
    assert!(fixture.refusal("CompleteLayerUpload", complete(digest)).starts_with("EmptyUploadException"));
    assert!(fixture.part(&upload, 1, b"x").unwrap_err().starts_with("InvalidLayerPartException"));
    fixture.part(&upload, 0, &layer[..split]).unwrap();
    let last = fixture.part(&upload, split, &layer[split..]).unwrap();
    assert_eq!(last["lastByteReceived"], layer.len() - 1);
    assert!(fixture.part(&upload, layer.len(), b"x").unwrap_err().starts_with("LayerPartTooSmallException"));
    assert!(fixture.refusal("CompleteLayerUpload", complete(Digest::of(""))).starts_with("InvalidLayerException"));
    assert_eq!(fixture.ask("CompleteLayerUpload", complete(digest)).unwrap()["layerDigest"], digest.to_string());
    assert!(fixture.refusal("CompleteLayerUpload", complete(digest)).starts_with("UploadNotFoundException"));
    let answer = fixture.check(&[&digest.to_string()]);
    assert_eq!(answer["layers"][0]["layerAvailability"], "AVAILABLE");
    assert_eq!(answer["layers"][0]["layerSize"], layer.len());
}

#[test]
fn each_layer_is_answered_once_by_digest_within_its_repository() {
    let mut fixture = Fixture::new();
    let (image, now) = (fixture.push("a", &["v1"]), fixture.now);
    let layer = image.blobs().nth(1).unwrap().digest.to_string();
    let absent = Digest::of("").to_string();
    for (quirk, layers, failures) in [
        (MissingLayer::Unavailable, 2, vec!["InvalidLayerDigest", "MissingLayerDigest"]),
        (MissingLayer::Failure, 1, vec!["InvalidLayerDigest", "MissingLayerDigest", "MissingLayerDigest"]),
    ] {
        fixture.ecr.quirks.missing_layer = quirk;
        let answer = fixture.check(&[&layer, &absent, "", "nonsense", &layer]);
        assert_eq!(answer["layers"].as_array().unwrap().len(), layers, "{answer}");
        let mut codes = codes(&answer);
        codes.sort_unstable();
        assert_eq!(codes, failures);
    }
    fixture.repository().archive(&image.digest, now);
    assert_eq!(fixture.check(&[&layer])["layers"][0]["layerAvailability"], "ARCHIVED");
    fixture.ecr.repository(REGION, "other", now);
    let elsewhere = json!({"repositoryName": "other", "layerDigests": [layer]});
    let answer = fixture.ask("BatchCheckLayerAvailability", elsewhere).unwrap();
    assert_eq!(codes(&answer), ["MissingLayerDigest"]);
    for bad in [vec![], vec![layer.clone(); 101], vec!["x".repeat(1001)]] {
        let refusal = fixture.refusal("BatchCheckLayerAvailability", json!({"layerDigests": bad}));
        assert!(refusal.starts_with("InvalidParameterException"));
    }
}

#[test]
fn the_layers_of_a_deleted_image_stay_until_they_are_swept() {
    let mut fixture = Fixture::new();
    let shared = Blob::layer("base");
    let images = ["one", "two"].map(|name| Manifest::of_layers(name, vec![shared.clone(), Blob::layer(name)]));
    let now = fixture.now;
    for image in &images {
        fixture.repository().push(image, &[], now);
    }
    fixture.ask("BatchDeleteImage", json!({"imageIds": [by_digest(images[0].digest)]})).unwrap();
    let digests = [shared.digest, Blob::layer("one").digest].map(|digest| digest.to_string());
    let state = |fixture: &mut Fixture| {
        digests.each_ref().map(|digest| fixture.check(&[digest])["layers"][0]["layerAvailability"].clone())
    };
    assert_eq!(state(&mut fixture), ["AVAILABLE", "AVAILABLE"]);
    fixture.repository().sweep();
    assert_eq!(state(&mut fixture), ["AVAILABLE", "UNAVAILABLE"]);
}
