use super::*;

impl Fixture {
    fn put(&mut self, manifest: &Manifest, tag: Option<&str>) -> Result<Value, String> {
        let mut body = json!({"imageManifest": manifest.text});
        if let Some(tag) = tag {
            body["imageTag"] = tag.into();
        }
        self.ask("PutImage", body)
    }

    /// Stores a manifest's layers, as if a client had pushed them.
    fn with_layers(&mut self, manifest: Manifest) -> Manifest {
        for blob in manifest.blobs() {
            self.repository().add_layer(blob.digest, blob.size);
        }
        manifest
    }
}

#[test]
fn an_image_needs_its_layers_and_an_index_its_images() {
    let mut fixture = Fixture::new();
    let image = Manifest::image("app", 2);
    let index = Manifest::index(&[(&image, "linux/amd64")]);
    let refusal = fixture.put(&image, Some("v1")).unwrap_err();
    assert!(refusal.starts_with("LayersNotFoundException: Layers with digests '[sha256:"), "{refusal}");
    let refusal = fixture.put(&index, Some("v1")).unwrap_err();
    assert!(refusal.starts_with("ReferencedImagesNotFoundException") && refusal.contains(&image.digest.to_string()));

    let image = fixture.with_layers(image);
    let answer = fixture.put(&image, None).unwrap();
    assert_eq!(answer["image"]["imageId"], by_digest(image.digest));
    assert_eq!(fixture.put(&index, Some("v1")).unwrap()["image"]["imageId"], by_both("v1", index.digest));
    fixture.repository().takes_missing_layers = true;
    assert!(fixture.put(&Manifest::image("lazy", 1), None).is_ok());
}

#[test]
fn the_same_again_is_refused_and_a_new_tag_is_added() {
    let mut fixture = Fixture::new();
    let image = fixture.push("app", &["v1"]);
    for tag in [None, Some("v1")] {
        let refusal = fixture.put(&image, tag).unwrap_err();
        assert!(refusal.starts_with("ImageAlreadyExistsException"), "{refusal}");
    }
    fixture.put(&image, Some("latest")).unwrap();
    assert!(fixture.has("v1") && fixture.has("latest"));
    let body = json!({"imageManifest": image.text, "imageTag": "v2", "imageDigest": Digest::of("")});
    assert!(fixture.refusal("PutImage", body).starts_with("ImageDigestDoesNotMatchException"));
}

#[test]
fn tags_move_unless_the_repository_says_otherwise() {
    let cases = [
        ("MUTABLE", None, true),
        ("IMMUTABLE", None, false),
        ("IMMUTABLE_WITH_EXCLUSION", Some("v*"), true),
        ("IMMUTABLE_WITH_EXCLUSION", Some("latest"), false),
        ("MUTABLE_WITH_EXCLUSION", Some("v?*"), true),
        ("MUTABLE_WITH_EXCLUSION", Some("v*"), false),
    ];
    for (mutability, filter, moves) in cases {
        let mut fixture = Fixture::new();
        fixture.push("app", &["v1"]);
        let mut rules = json!({"imageTagMutability": mutability});
        if let Some(filter) = filter {
            rules["imageTagMutabilityExclusionFilters"] = json!([{"filterType": "WILDCARD", "filter": filter}]);
        }
        // A question mark is not a wildcard here.
        if filter.is_some_and(|filter| filter.contains('?')) {
            assert!(fixture.refusal("PutImageTagMutability", rules).starts_with("InvalidParameterException"));
            continue;
        }
        let answer = fixture.ask("PutImageTagMutability", rules.clone()).unwrap();
        assert_eq!(answer["imageTagMutability"], mutability);
        let newer = fixture.with_layers(Manifest::image("newer", 1));
        let result = fixture.put(&newer, Some("v1"));
        assert_eq!(result.is_ok(), moves, "{rules}");
        if let Err(refusal) = result {
            assert!(refusal.starts_with("ImageTagAlreadyExistsException"), "{refusal}");
        }
        assert_eq!(fixture.repository().tag("v1") == Some(newer.digest), moves);
    }
}

#[test]
fn a_push_of_an_archived_image_brings_it_back() {
    let mut fixture = Fixture::new();
    let (image, now) = (fixture.push("app", &["v1"]), fixture.now);
    fixture.repository().archive(&image.digest, now);
    fixture.put(&image, Some("v1")).unwrap();
    assert_eq!(fixture.repository().find("v1").unwrap().status(), repository::Status::Active);
}

#[test]
fn bad_manifests_and_tags_are_refused() {
    let mut fixture = Fixture::new();
    let image = fixture.push("app", &[]);
    for body in [
        json!({"imageManifest": ""}),
        json!({"imageManifest": "{"}),
        json!({"imageManifest": " ".repeat(4_194_305)}),
        json!({"imageManifest": image.text, "imageManifestMediaType": manifest::OCI_INDEX}),
        json!({"imageManifest": image.text, "imageTag": "no tag"}),
        json!({"imageManifest": image.text, "imageTag": "t".repeat(301)}),
        json!({}),
    ] {
        let refusal = fixture.refusal("PutImage", body);
        assert!(refusal.starts_with("InvalidParameterException"), "{refusal}");
    }
}

#[test]
fn a_repository_is_made_once_and_goes_empty_or_by_force() {
    let mut fixture = Fixture::new();
    let taken = fixture.refusal("CreateRepository", json!({}));
    assert!(taken.starts_with("RepositoryAlreadyExistsException"));
    for name in ["Team", "a", "a//b"] {
        let refusal = fixture.refusal("CreateRepository", json!({"repositoryName": name}));
        assert!(refusal.starts_with("InvalidParameterException"), "{name}");
    }
    let made =
        fixture.ask("CreateRepository", json!({"repositoryName": "tools/ci", "imageTagMutability": "IMMUTABLE"}));
    assert_eq!(made.unwrap()["repository"]["imageTagMutability"], "IMMUTABLE");
    fixture.push("app", &["v1"]);
    assert!(fixture.refusal("DeleteRepository", json!({})).starts_with("RepositoryNotEmptyException"));
    fixture.ask("DeleteRepository", json!({"force": true})).unwrap();
    assert!(fixture.refusal("ListImages", json!({})).starts_with("RepositoryNotFoundException"));
}
