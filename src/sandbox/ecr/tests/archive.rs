use chrono::TimeDelta;

use super::*;

impl Fixture {
    fn set_class(&mut self, id: Value, class: &str) -> Result<Value, String> {
        self.ask("UpdateImageStorageClass", json!({"imageId": id, "targetStorageClass": class}))
    }

    fn status(&mut self, tag: &str) -> String {
        let body = json!({"imageIds": [by_tag(tag)], "filter": {"imageStatus": "ANY"}});
        self.ask("DescribeImages", body).unwrap()["imageDetails"][0]["imageStatus"].as_str().unwrap().into()
    }

    fn layer_state(&mut self, image: &Manifest) -> String {
        let digests: Vec<_> = image.blobs().take(1).map(|blob| blob.digest).collect();
        let answer = self.ask("BatchCheckLayerAvailability", json!({"layerDigests": digests})).unwrap();
        answer["layers"][0]["layerAvailability"].as_str().unwrap().into()
    }
}

#[test]
fn an_image_is_archived_at_once_and_active_after_a_while() {
    let mut fixture = Fixture::new();
    fixture.ecr.delays.activation = TimeDelta::minutes(20);
    let image = fixture.push("app", &["v1", "v2"]);
    let answer = fixture.set_class(by_digest(image.digest), "ARCHIVE").unwrap();
    assert_eq!((&answer["imageStatus"], &answer["imageId"]), (&json!("ARCHIVED"), &by_digest(image.digest)));
    assert_eq!((fixture.status("v2").as_str(), fixture.layer_state(&image).as_str()), ("ARCHIVED", "ARCHIVED"));
    let pulled = fixture.ask("BatchGetImage", json!({"imageIds": [by_tag("v1")]})).unwrap();
    assert_eq!(codes(&pulled), ["ImageInaccessible"]);
    let hidden = fixture.ask("DescribeImages", json!({})).unwrap();
    assert_eq!(hidden["imageDetails"], json!([]));

    let answer = fixture.set_class(by_tag("v1"), "STANDARD").unwrap();
    assert_eq!(answer["imageStatus"], "ACTIVATING");
    fixture.now += TimeDelta::minutes(19);
    assert_eq!(fixture.status("v1"), "ACTIVATING");
    assert_eq!(codes(&fixture.ask("BatchGetImage", json!({"imageIds": [by_tag("v1")]})).unwrap()).len(), 1);
    fixture.now += TimeDelta::minutes(1);
    assert_eq!((fixture.status("v1").as_str(), fixture.layer_state(&image).as_str()), ("ACTIVE", "AVAILABLE"));
    assert!(codes(&fixture.ask("BatchGetImage", json!({"imageIds": [by_tag("v1")]})).unwrap()).is_empty());
}

#[test]
fn a_class_that_an_image_has_already_is_refused_or_accepted() {
    let mut fixture = Fixture::new();
    let image = fixture.push("app", &["v1"]);
    let refusal = fixture.set_class(by_tag("v1"), "STANDARD").unwrap_err();
    assert!(refusal.starts_with("ImageStorageClassUpdateNotSupportedException"), "{refusal}");
    fixture.set_class(by_tag("v1"), "ARCHIVE").unwrap();
    assert!(fixture.set_class(by_tag("v1"), "ARCHIVE").is_err());
    fixture.ecr.quirks.same_class = SameClass::Accepted;
    assert_eq!(fixture.set_class(by_tag("v1"), "ARCHIVE").unwrap()["imageStatus"], "ARCHIVED");
    // A push takes an image out of the archive.
    fixture.ask("PutImage", json!({"imageManifest": image.text})).unwrap();
    assert_eq!(fixture.status("v1"), "ACTIVE");
}

#[test]
fn a_class_needs_an_image_and_a_known_class() {
    let mut fixture = Fixture::new();
    fixture.push("app", &["v1"]);
    for (id, class, code) in [
        (by_tag("v2"), "ARCHIVE", "ImageNotFoundException"),
        (by_both("v1", Digest::of("")), "ARCHIVE", "ImageNotFoundException"),
        (json!({}), "ARCHIVE", "InvalidParameterException"),
        (by_tag("v1"), "GLACIER", "InvalidParameterException"),
        (Value::Null, "ARCHIVE", "InvalidParameterException"),
    ] {
        let refusal = fixture.set_class(id, class).unwrap_err();
        assert!(refusal.starts_with(code), "{refusal}");
    }
    assert_eq!(fixture.status("v1"), "ACTIVE");
}

#[test]
fn layers_that_no_image_has_are_dropped_after_their_time() {
    let mut fixture = Fixture::new();
    let base = Blob::layer("base");
    let image = Manifest::of_layers("app", vec![base.clone()]);
    let other = Manifest::of_layers("other", vec![base.clone()]);
    let now = fixture.now;
    fixture.repository().push(&image, &["v1"], now);
    fixture.repository().push(&other, &["v2"], now);
    fixture.ecr.delays.layers_kept = Some(TimeDelta::hours(1));
    let delete = json!({"imageIds": [by_tag("v1")]});
    fixture.ask("BatchDeleteImage", delete.clone()).unwrap();
    fixture.now += TimeDelta::minutes(59);
    assert_eq!(fixture.layer_state(&image), "AVAILABLE");
    let put = json!({"imageManifest": image.text, "imageTag": "v1"});
    fixture.ask("PutImage", put.clone()).unwrap();
    // In use again, so its time begins anew.
    fixture.now += TimeDelta::minutes(59);
    fixture.ask("BatchDeleteImage", delete).unwrap();
    fixture.now += TimeDelta::minutes(59);
    assert_eq!(fixture.layer_state(&image), "AVAILABLE");
    fixture.now += TimeDelta::minutes(1);
    assert_eq!(fixture.layer_state(&image), "UNAVAILABLE", "the config of the image that is gone");
    assert_eq!(fixture.layer_state(&other), "AVAILABLE");
    let refusal = fixture.ask("PutImage", put).unwrap_err();
    assert!(refusal.starts_with("LayersNotFoundException"), "{refusal}");
    assert!(!refusal.contains(&base.digest.to_string()), "another image has it: {refusal}");
}

#[test]
fn layers_that_lie_elsewhere_are_not_needed() {
    let mut fixture = Fixture::new();
    let image = Manifest::image("windows", 1);
    let layer = image.blobs().nth(1).unwrap().digest;
    let text = image
        .text
        .replace(&format!(r#""digest":"{layer}""#), &format!(r#""urls":["https://example.com"],"digest":"{layer}""#));
    let config = image.blobs().next().unwrap().digest;
    fixture.repository().add_layer(config, 1);
    fixture.ask("PutImage", json!({"imageManifest": text})).unwrap();
}
